import type { Availability } from '@tillroll/contract';
import type { HoursFlags } from '../commands/hours.ts';
import { connect } from '../connection/connect.ts';
import type { Context } from '../context.ts';
import { clock } from '../display/words.ts';
import { durationInWords } from '../durations.ts';
import { EXIT } from '../exit.ts';
import { printJson } from './print.ts';

/** The hours as a sentence. */
export function hoursText(availability: Availability, now: number): string {
  const { open, hours, nextOpen, nextClose } = availability;
  const next = open ? nextClose : nextOpen;
  if (next === null) return open ? 'open, always' : 'closed, and never opens';
  const when = `${clock(next, now)} (${open ? 'for' : 'in'} ${durationInWords(next - now)})`;
  return `${open ? 'open until' : 'closed, opens at'} ${when}; open ${hours}`;
}

/** `tillroll hours` */
export async function hours(flags: HoursFlags, context: Context): Promise<void> {
  const client = await connect(flags, context, {}, ['url']);
  const availability = await client.availability({ signal: context.signal });
  if (flags.json) printJson(context, availability);
  else context.stdout.write(`${hoursText(availability, Date.now())}\n`);
  context.exitCode = availability.open ? EXIT.complete : EXIT.tryLater;
}
