import type { Command } from 'commander';
import type { Availability } from '@tillroll/contract';
import { addConnectionOptions, type ConnectionFlags } from '../connection/flags.ts';
import type { Context } from '../context.ts';
import { clock } from '../display/words.ts';
import { oneLine } from '../errors.ts';
import { EXIT } from '../exit.ts';
import { durationInWords } from '../format.ts';
import { printJson } from '../print.ts';

interface HoursFlags extends ConnectionFlags {
  json?: boolean;
}

const EXAMPLES = `
Examples:
  $ tillroll hours --region eu
  closed, opens at 01:00 UTC (in 3 h 12 min); open Mon-Fri 01:00-05:00, Sat 02:00-05:00 UTC
  $ tillroll hours && tillroll pull --since-last --out sales/

Exit: 0 open, 75 closed.
`;

export function addHours(root: Command, context: Context): void {
  const command = root
    .command('hours')
    .description('print whether exports can be created now, and when next; needs no token')
    .option('--json', 'as JSON');
  addConnectionOptions(command)
    .addHelpText('after', EXAMPLES)
    .action((flags: HoursFlags) => hours(flags, context));
}

async function hours(flags: HoursFlags, context: Context): Promise<void> {
  const { connect } = await import('../connection/connect.ts');
  const client = await connect(flags, context, {}, ['url']);
  const availability = await client.availability({ signal: context.signal });
  if (flags.json) printJson(context, availability);
  else context.stdout.write(`${oneLine(hoursText(availability, Date.now()))}\n`);
  context.exitCode = availability.open ? EXIT.complete : EXIT.tryLater;
}

/** The hours as a sentence. */
function hoursText(availability: Availability, now: number): string {
  const { open, hours: weekly, nextOpen, nextClose } = availability;
  const next = open ? nextClose : nextOpen;
  if (next === null) return open ? 'open, always' : 'closed, and never opens';
  const when = `${clock(next, now)} (${open ? 'for' : 'in'} ${durationInWords(next - now)})`;
  return `${open ? 'open until' : 'closed, opens at'} ${when}; open ${weekly}`;
}
