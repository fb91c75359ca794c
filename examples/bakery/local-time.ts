/** The till's clock: what it shows is London's local time, without saying whether summer time held. */
const ZONE = 'Europe/London';
const DAY_MS = 24 * 60 * 60 * 1000;

const clock = new Intl.DateTimeFormat('en-GB', {
  timeZone: ZONE,
  hourCycle: 'h23',
  year: 'numeric',
  month: '2-digit',
  day: '2-digit',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
});

type Part = 'year' | 'month' | 'day' | 'hour' | 'minute' | 'second';

function shownAt(utcMs: number): Record<Part, string> {
  const parts = clock.formatToParts(utcMs).map(({ type, value }) => [type, value]);
  return Object.fromEntries(parts) as Record<Part, string>;
}

/** Computes how far the local clock is ahead of UTC at an instant, ms. */
function offsetAt(utcMs: number): number {
  const { year, month, day, hour, minute, second } = shownAt(utcMs);
  const local = Date.UTC(+year, +month - 1, +day, +hour, +minute, +second);
  return local - Math.floor(utcMs / 1000) * 1000;
}

/**
 * The instant at which London's clocks show a local time.
 *
 * When clocks go back, an hour is shown twice: the first, in summer time, is meant. When they go
 * forward, an hour is never shown: a till that did not follow is taken to mean an hour later on the
 * clocks that did (01:30 becomes 02:30 summer time).
 * @param local the time on the clock, written as if it were UTC: `Date.UTC(2016, 9, 30, 9, 58)`.
 */
export function fromLocal(local: number): number {
  const offsets = [offsetAt(local - DAY_MS), offsetAt(local + DAY_MS)];
  const first = local - Math.max(...offsets);
  return first + offsetAt(first) === local ? first : local - Math.min(...offsets);
}

/** The month, as `YYYY-MM`, that London's calendar shows at an instant. */
export function localMonth(utcMs: number): string {
  const { year, month } = shownAt(utcMs);
  return `${year}-${month}`;
}
