/** `tillroll hours`: tells whether exports can be created now, and when next. */
import type { Command } from 'commander';
import { addConnectionOptions, type ConnectionFlags } from '../connection/flags.ts';
import type { Context } from '../context.ts';
import { oneLine } from '../errors.ts';
import { EXIT } from '../exit.ts';
import { hoursText } from '../hours-text.ts';
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
