/** Time zones: calendar months, and the ranges of exports in them. */
import { MAX_RANGE_MS, MAX_TIME_MS, type TimeRange } from '@tillroll/contract';
import { Temporal } from 'temporal-polyfill';
import { usageError } from '../errors.ts';

/** A calendar month as a zone's calendar shows it. Epoch ms, half-open. */
export interface Month {
  /** `2026-01`. */
  name: string;
  startTime: number;
  endTime: number;
}

/** A time zone of the IANA database. */
export class Zone {
  /** One name for all names of the zone, such as `UTC` for `Etc/UTC`. Another release of Node may choose another. */
  readonly name: string;
  /** Most calls of `month` ask about the same month as the call before. */
  #lastMonth: Month = { name: '', startTime: 0, endTime: 0 };

  /** @throws ExportError USAGE when there is no such zone. */
  constructor(name: string) {
    try {
      // Intl knows offsets, too; readers of the data, such as DuckDB, do not.
      if (/^[+-]/.test(name)) throw new RangeError('an offset');
      // Temporal keeps the name that it is given, also one that differs in case or is a link.
      this.name = new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone;
    } catch (cause) {
      throw usageError(
        `must be an IANA name such as Europe/London or America/New_York; got ${JSON.stringify(name)}`,
        { option: 'timezone', cause },
      );
    }
  }

  /**
   * Compares zones, not names: `Asia/Calcutta` is `Asia/Kolkata`, whichever a directory was made with.
   * @throws ExportError USAGE when `other` is not the name of a zone.
   */
  isSame(other: Zone | string): boolean {
    return this.name === (typeof other === 'string' ? new Zone(other) : other).name;
  }

  /**
   * The first instant (epoch ms) at which the zone's clocks show `local`. Where they skip it: the instant
   * at which they jump, so a day whose midnight is skipped begins at its first instant.
   * @throws RangeError when the instant is not a valid time.
   */
  instant(local: Temporal.PlainDateTime): number {
    const earlier = local.toZonedDateTime(this.name, { disambiguation: 'earlier' });
    const isSkipped = !earlier.toPlainDateTime().equals(local);
    const found = isSkipped ? earlier.getTimeZoneTransition('next') : earlier;
    return (found ?? earlier).epochMilliseconds;
  }

  /** The month that holds an instant, epoch ms. */
  month(time: number): Month {
    const last = this.#lastMonth;
    if (time >= last.startTime && time < last.endTime) return last;
    const shown = Temporal.Instant.fromEpochMilliseconds(time)
      .toZonedDateTimeISO(this.name)
      .toPlainDate()
      .toPlainYearMonth();
    let month = this.#month(shown);
    // Clocks that are put back over midnight show the old month again, but the new one has begun.
    if (time >= month.endTime && month.endTime < MAX_TIME_MS)
      month = this.#month(shown.add({ months: 1 }));
    return (this.#lastMonth = month);
  }

  /** All months, whole, that hold an instant of `span`, in order. */
  *months(span: TimeRange): Generator<Month, void, void> {
    for (let time = span.startTime; time < span.endTime;) {
      const month = this.month(time);
      yield month;
      time = month.endTime;
    }
  }

  #month(month: Temporal.PlainYearMonth): Month {
    return {
      name: month.toString(),
      startTime: this.#monthStart(month, 0),
      endTime: this.#monthStart(month, 1),
    };
  }

  #monthStart(month: Temporal.PlainYearMonth, later: number): number {
    try {
      const first = month.add({ months: later }).toPlainDate({ day: 1 });
      return this.instant(first.toPlainDateTime());
    } catch (error) {
      // The largest time that there is lies within a month.
      if (error instanceof RangeError) return MAX_TIME_MS;
      throw error;
    }
  }
}

/**
 * Parses the name of a month, such as `2026-01`.
 * @throws RangeError when the name is not one of a month from 1970 to 9999.
 */
export function parseMonth(name: string, zone: Zone): Month {
  if (!/^\d{4}-(?:0[1-9]|1[0-2])$/.test(name) || name < '1970')
    throw new RangeError(`not a month: ${JSON.stringify(name)}`);
  // At noon of the 15th, no zone shows another month than UTC does.
  return zone.month(Date.parse(`${name}-15T12:00:00Z`));
}

/**
 * Cuts a span into ranges that exports may have: never across a month's end, and at most 30 days. A
 * month that is longer is cut where its 16th day begins, whatever part of it is in the span: so a
 * longer span asks for the same ranges again. Yields one at a time: a span may be very long.
 * @throws RangeError when a bound is not an integer or `startTime >= endTime`.
 */
export function* exportRanges(span: TimeRange, zone: Zone): Generator<TimeRange, void, void> {
  const { startTime, endTime } = span;
  if (!Number.isSafeInteger(startTime) || !Number.isSafeInteger(endTime) || startTime >= endTime)
    throw new RangeError(`not a range of time: ${startTime} to ${endTime}`);
  for (const month of zone.months(span))
    for (const range of cutMonth(month, zone)) {
      const part = {
        startTime: Math.max(range.startTime, startTime),
        endTime: Math.min(range.endTime, endTime),
      };
      if (part.startTime < part.endTime) yield part;
    }
}

function cutMonth(month: Month, zone: Zone): TimeRange[] {
  const { startTime, endTime } = month;
  if (endTime - startTime <= MAX_RANGE_MS) return [{ startTime, endTime }];
  const middle = zone.instant(Temporal.PlainDateTime.from(`${month.name}-16`));
  return [
    { startTime, endTime: middle },
    { startTime: middle, endTime },
  ];
}
