import type { Availability } from '@tillroll/contract';
import { clock } from './display/words.ts';
import { durationInWords } from './format.ts';

/** Describes the service's hours in a sentence. @param now epoch ms. */
export function hoursText(availability: Availability, now: number): string {
  const { open, hours: weekly, nextOpen, nextClose } = availability;
  const next = open ? nextClose : nextOpen;
  if (next === null) return open ? 'open, always' : 'closed, and never opens';
  const when = `${clock(next, now)} (${open ? 'for' : 'in'} ${durationInWords(next - now)})`;
  return `${open ? 'open until' : 'closed, opens at'} ${when}; open ${weekly}`;
}
