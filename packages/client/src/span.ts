import { MAX_TIME_MS, type TimeRange } from '@tillroll/contract';
import { usageError } from './errors.ts';
import { Zone } from './zone.ts';

/** An instant or a day: `2026-01-31`, an ISO date and time, epoch milliseconds, or a Date. */
export type When = string | number | Date;

export interface SpanOptions {
  /** First instant, inclusive. */
  from: When;
  /** End, exclusive. */
  to: When;
  /** IANA name: whose days a bare date means, and whose clock a time without offset. Default UTC. */
  timezone?: string | undefined;
}

const ALLOWED =
  'a date (2026-01-31), a date and time (2026-01-31T18:00, with Z or an offset such as +01:00 for a fixed instant), or epoch milliseconds';

const DATE_TIME =
  /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,3})\d*)?)?)?(Z|[+-]\d{2}:?\d{2})?$/i;

/**
 * One bound as epoch ms. A day begins at its first instant in the zone, also where clocks skip midnight.
 * @throws ExportError USAGE naming the value and what is allowed.
 */
export function parseWhen(member: string, when: When, zone: Zone): number {
  const fault = (why: string): Error =>
    usageError(`${member} must be ${ALLOWED}; got ${shownWhen(when)}${why}`);
  if (when instanceof Date || typeof when === 'number' || /^\d{9,16}$/.test(when)) {
    const time = Number(when);
    if (!Number.isInteger(time) || time < 0 || time > MAX_TIME_MS) throw fault('');
    return time;
  }
  const match = typeof when === 'string' ? DATE_TIME.exec(when.trim()) : null;
  if (!match) throw fault('');
  const [, year, month, day, hour, minute, second, fraction, offset] = match;
  const [y, mo, d, h, mi, s] = [year, month, day, hour, minute, second].map((part) =>
    Number(part ?? 0),
  ) as [number, number, number, number, number, number];
  const local = Date.UTC(y, mo - 1, d, h, mi, s) + Number((fraction ?? '').padEnd(3, '0'));
  if (mo < 1 || mo > 12) throw fault(`: there is no month ${month}`);
  if (h > 23 || mi > 59 || s > 59) throw fault(': no such time of day');
  const written = new Date(local);
  if (written.getUTCDate() !== d) throw fault(`: ${year}-${month} has no day ${day}`);
  // `Date.UTC` takes the years 0 to 99 for those of the last century.
  if (y < 100) throw fault(': before 1970');
  let time: number;
  if (offset !== undefined && hour === undefined) throw fault(': an offset needs a time');
  if (offset === undefined) time = zone.instant(local);
  else if (/z/i.test(offset)) time = local;
  else {
    const [, sign, hours, minutes] = /([+-])(\d{2}):?(\d{2})/.exec(offset) as unknown as [
      string,
      string,
      string,
      string,
    ];
    if (Number(hours) > 23 || Number(minutes) > 59) throw fault(': no such offset');
    time = local - (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60_000;
  }
  if (time < 0) throw fault(': before 1970');
  return time;
}

function shownWhen(when: When): string {
  return when instanceof Date || typeof when === 'number' ? String(when) : JSON.stringify(when);
}

/** A half-open span of any length. @throws ExportError USAGE */
export function parseSpan({ from, to, timezone = 'UTC' }: SpanOptions): TimeRange {
  const zone = new Zone(timezone);
  const startTime = parseWhen('from', from, zone);
  const endTime = parseWhen('to', to, zone);
  if (startTime >= endTime)
    throw usageError(
      `to must be later than from; got from ${instantText(startTime)} and to ${instantText(endTime)}`,
      'The end is exclusive: one day is from 2026-01-31 to 2026-02-01',
    );
  return { startTime, endTime };
}

/** ISO, without the milliseconds when there are none. */
export function instantText(time: number): string {
  return new Date(time).toISOString().replace('.000Z', 'Z');
}
