/** Parses the dates that callers give into a span. */
import { MAX_TIME_MS, type TimeRange } from '@tillroll/contract';
import { Temporal } from 'temporal-polyfill';
import { usageError } from '../errors.ts';
import { Zone } from './zone.ts';

/** An instant or a day: `2026-01-31`, an ISO date and time, epoch milliseconds, or a Date. */
export type When = string | number | Date;

/** A span as a caller gives it. */
export interface SpanOptions {
  /** First instant, inclusive. */
  from: When;
  /** End, exclusive. */
  to: When;
  /** IANA name: the zone of the days that bare dates mean, and of times without an offset. Default UTC. */
  timezone?: string | undefined;
}

const ALLOWED =
  'a date (2026-01-31), a date and time (2026-01-31T18:00, with Z or an offset such as +01:00 for a fixed instant), or epoch milliseconds';

const DATE_TIME =
  /^((\d{4})-(\d{2})-(\d{2}))(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?))?(Z|[+-]\d{2}:?\d{2})?$/i;

/**
 * Parses one bound to epoch ms. A day begins at its first instant in the zone, also where clocks skip midnight.
 * @throws ExportError USAGE about `option`, naming the value and what is allowed.
 */
export function parseWhen(option: string, when: When, zone: Zone): number {
  const fault = (why: string, cause?: unknown): Error =>
    usageError(`must be ${ALLOWED}; got ${describeWhen(when)}${why}`, { option, cause });
  // Read as milliseconds, these numbers would be before March 1973.
  if (typeof when === 'string' && /^\d{9,11}$/.test(when.trim()))
    throw fault(`, which looks like seconds: in milliseconds it is ${when.trim()}000`);
  if (when instanceof Date || typeof when === 'number' || /^\d{9,16}$/.test(when)) {
    const time = Number(when);
    if (!Number.isInteger(time) || time < 0 || time > MAX_TIME_MS) throw fault('');
    return time;
  }
  const match = typeof when === 'string' ? DATE_TIME.exec(when.trim()) : null;
  if (!match) throw fault('');
  const [, date = '', year, month = '', day, clock, offset] = match;
  if (Number(month) < 1 || Number(month) > 12) throw fault(`: there is no month ${month}`);
  if (offset !== undefined && clock === undefined) throw fault(': an offset needs a time');
  /** Runs one step of the parsing; a RangeError of Temporal becomes a usage error. */
  const attempt = <T>(parse: () => T, why: string): T => {
    try {
      return parse();
    } catch (error) {
      if (error instanceof RangeError) throw fault(why, error);
      throw error;
    }
  };
  const isoDate = attempt(
    () => Temporal.PlainDate.from(date),
    `: ${year}-${month} has no day ${day}`,
  );
  const time = attempt(() => parseClock(clock), ': no such time of day');
  const local = isoDate.toPlainDateTime(time);
  const at = attempt(
    () =>
      offset === undefined
        ? zone.instant(local)
        : Temporal.Instant.from(`${local.toString()}${offset}`).epochMilliseconds,
    ': no such offset',
  );
  if (at < 0) throw fault(': before 1970');
  return at;
}

/** @throws RangeError also for second 60, which Temporal reads as 59 in a text. */
function parseClock(clock = '00:00'): Temporal.PlainTime {
  const [hour = 0, minute = 0, second = 0] = clock
    .split(':')
    .map((part) => Math.trunc(Number(part)));
  Temporal.PlainTime.from({ hour, minute, second }, { overflow: 'reject' });
  // Digits beyond the millisecond are cut off.
  return Temporal.PlainTime.from(clock.replace(/(\.\d{3})\d+$/, '$1'));
}

function describeWhen(when: When): string {
  return when instanceof Date || typeof when === 'number' ? String(when) : JSON.stringify(when);
}

/** Parses a half-open span of any length. @throws ExportError USAGE */
export function parseSpan({ from, to, timezone = 'UTC' }: SpanOptions): TimeRange {
  const zone = new Zone(timezone);
  const startTime = parseWhen('from', from, zone);
  const endTime = parseWhen('to', to, zone);
  if (startTime >= endTime)
    throw usageError(
      `must be later than from; got from ${formatInstant(startTime)} and to ${formatInstant(endTime)}`,
      { option: 'to', hint: 'The end is exclusive: one day is from 2026-01-31 to 2026-02-01' },
    );
  return { startTime, endTime };
}

/** Formats epoch ms as ISO 8601 in UTC, without the milliseconds when there are none. */
export function formatInstant(time: number): string {
  return new Date(time).toISOString().replace('.000Z', 'Z');
}
