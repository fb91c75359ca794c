import { usageError } from './errors.ts';

const DAY_MS = 86_400_000;

/** A time zone of the IANA data base: what its clocks and calendars show. */
export class Zone {
  readonly name: string;
  readonly #clock: Intl.DateTimeFormat;

  /** @throws ExportError USAGE when there is no such zone. */
  constructor(name: string) {
    try {
      this.#clock = new Intl.DateTimeFormat('en-GB', {
        timeZone: name,
        hourCycle: 'h23',
        year: 'numeric',
        month: '2-digit',
        day: '2-digit',
        hour: '2-digit',
        minute: '2-digit',
        second: '2-digit',
      });
    } catch {
      throw usageError(
        `timezone must be an IANA name such as Europe/London or America/New_York; got ${JSON.stringify(name)}`,
      );
    }
    this.name = name;
  }

  /** What the zone's clocks show at an instant, written as if it were UTC. */
  local(time: number): number {
    const parts = this.#clock.formatToParts(time);
    const of = (type: Intl.DateTimeFormatPartTypes): number =>
      Number(parts.find((part) => part.type === type)?.value);
    const shown = Date.UTC(
      of('year'),
      of('month') - 1,
      of('day'),
      of('hour'),
      of('minute'),
      of('second'),
    );
    return shown + (((time % 1000) + 1000) % 1000);
  }

  /**
   * The first instant at which the zone's clocks show `local` or, where they skip it, anything later:
   * a day whose midnight does not exist begins when it begins.
   */
  instant(local: number): number {
    const offsets = [local - DAY_MS, local, local + DAY_MS].map((time) => this.local(time) - time);
    const [earliest = local, ...others] = offsets
      .map((offset) => local - offset)
      .toSorted((a, b) => a - b);
    for (const candidate of [earliest, ...others])
      if (this.local(candidate) === local) return candidate;
    return this.#afterGap(earliest, others.at(-1) ?? earliest, local);
  }

  /** The instant at which the clocks jump over `local`; it lies between the two. */
  #afterGap(before: number, after: number, local: number): number {
    let low = before;
    let high = after;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.local(middle) >= local) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** `2026-01`, and the instants between which the zone's calendar shows it. */
  month(time: number): { name: string; startTime: number; endTime: number } {
    const shown = new Date(this.local(time));
    const month = this.#month(shown.getUTCFullYear(), shown.getUTCMonth());
    // Clocks that are put back over midnight show the old month once more; the new one has begun.
    return time < month.endTime
      ? month
      : this.#month(shown.getUTCFullYear(), shown.getUTCMonth() + 1);
  }

  #month(year: number, month: number): { name: string; startTime: number; endTime: number } {
    const first = Date.UTC(year, month, 1);
    return {
      name: new Date(first).toISOString().slice(0, 7),
      startTime: this.instant(first),
      endTime: this.instant(Date.UTC(year, month + 1, 1)),
    };
  }
}
