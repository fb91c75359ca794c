/** The hours in which exports can be created: parsing them, and finding the next opening. */
import { DAY_MS, MINUTE_MS } from './limits.ts';
import type { Availability } from './wire.ts';

const DAY_NAMES = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const;
const DAY_MINUTES = 24 * 60;
const WEEK_MINUTES = 7 * DAY_MINUTES;
const WEEK_MS = WEEK_MINUTES * MINUTE_MS;
/** Epoch 0 was a Thursday, day 4 of a week that begins on Sunday. */
const EPOCH_OFFSET_MS = 4 * DAY_MS;

/** Half-open, in minutes from Sunday 00:00 UTC; sorted, disjoint, never touching. */
interface OpenSpan {
  start: number;
  end: number;
}

/** The times when exports may be created. An opening time is inside, a closing time is outside. All times are UTC. */
export interface Hours {
  /** In words, for people: `Mon-Fri 01:00-05:00, Sat 02:00-05:00`. */
  readonly text: string;
  readonly spans: readonly OpenSpan[];
}

export const REGIONS = ['sandbox', 'us', 'eu'] as const;
export type Region = (typeof REGIONS)[number];

/** Clover's published hours; it publishes none for Latin America. */
export const REGION_HOURS: Readonly<Record<Region, string>> = {
  sandbox: 'always',
  us: 'daily 10:00-15:00',
  eu: 'mon-fri 01:00-05:00; sat 02:00-05:00; sun 02:00-06:00',
};

function dayNumber(name: string): number {
  const day = (DAY_NAMES as readonly string[]).indexOf(name);
  if (day < 0)
    throw new RangeError(
      `no day is called "${name}"; the days are mon tue wed thu fri sat sun, or daily`,
    );
  return day;
}

function parseDays(text: string): number[] {
  if (text === 'daily') return [0, 1, 2, 3, 4, 5, 6];
  const [first = '', last = first, ...rest] = text.split('-');
  if (rest.length > 0) throw new RangeError(`"${text}" is not a range of days such as mon-fri`);
  const from = dayNumber(first);
  const length = ((dayNumber(last) - from + 7) % 7) + 1;
  return Array.from({ length }, (_, i) => (from + i) % 7);
}

function parseMinute(text: string): number {
  const match = /^([0-9]{2}):([0-9]{2})$/.exec(text);
  const hour = Number(match?.[1]);
  const minute = Number(match?.[2]);
  if (!match || hour > 24 || minute > 59 || (hour === 24 && minute > 0)) {
    throw new RangeError(`"${text}" is not a time of day from 00:00 to 24:00`);
  }
  return hour * 60 + minute;
}

function title(days: string): string {
  if (days === 'daily') return 'every day';
  return days.replaceAll(/[a-z]+/g, (name) => name.charAt(0).toUpperCase() + name.slice(1));
}

/** Sorts, folds what runs past Saturday midnight to Sunday, and joins what overlaps or touches. */
function normalized(raw: OpenSpan[]): OpenSpan[] {
  const inWeek = raw.flatMap(({ start, end }) =>
    end <= WEEK_MINUTES
      ? [{ start, end }]
      : [
          { start, end: WEEK_MINUTES },
          { start: 0, end: end - WEEK_MINUTES },
        ],
  );
  const joined: OpenSpan[] = [];
  for (const span of inWeek.toSorted((a, b) => a.start - b.start)) {
    const last = joined.at(-1);
    if (last && span.start <= last.end) last.end = Math.max(last.end, span.end);
    else joined.push({ ...span });
  }
  return joined;
}

/**
 * Reads opening hours: `always`, `never`, or entries `DAYS HH:MM-HH:MM` split by `;`, where DAYS is a
 * day (`mon`), a range (`mon-fri`) or `daily`. An end before its start runs into the next day.
 * @throws RangeError naming the part that cannot be read.
 */
export function parseHours(text: string): Hours {
  const wanted = text.trim().toLowerCase();
  if (wanted === 'always') return { text: 'always', spans: [{ start: 0, end: WEEK_MINUTES }] };
  if (wanted === 'never') return { text: 'never', spans: [] };
  const raw: OpenSpan[] = [];
  const words: string[] = [];
  for (const entry of wanted.split(';').map((part) => part.trim())) {
    if (entry === '') continue;
    const match = /^(\S+)\s+([0-9:]+)\s*-\s*([0-9:]+)$/.exec(entry);
    if (!match) throw new RangeError(`"${entry}" does not read like "mon-fri 01:00-05:00"`);
    const [, days = '', opens = '', closes = ''] = match;
    const start = parseMinute(opens);
    if (start === DAY_MINUTES) {
      throw new RangeError(`"${entry}" opens at 24:00; say 00:00 of the next day`);
    }
    const end = parseMinute(closes);
    if (start === end)
      throw new RangeError(
        `"${entry}" opens and closes at the same time; say "${days} 00:00-24:00" for a whole day`,
      );
    for (const day of parseDays(days)) {
      const length = (end - start + DAY_MINUTES) % DAY_MINUTES || DAY_MINUTES;
      raw.push({ start: day * DAY_MINUTES + start, end: day * DAY_MINUTES + start + length });
    }
    words.push(`${title(days)} ${opens}-${closes}`);
  }
  if (raw.length === 0) throw new RangeError('no hours given; say "always" or "never"');
  return { text: words.join(', '), spans: normalized(raw) };
}

/** Milliseconds since Sunday 00:00 UTC. */
function positionInWeek(time: number): number {
  return (((time + EPOCH_OFFSET_MS) % WEEK_MS) + WEEK_MS) % WEEK_MS;
}

/** Tells whether the service is open at `time` (epoch ms). */
export function isOpen(hours: Hours, time: number): boolean {
  const at = positionInWeek(time);
  return hours.spans.some(({ start, end }) => start * MINUTE_MS <= at && at < end * MINUTE_MS);
}

/** The first edge of the given kind after `time` at which the state really changes. */
function nextEdge(
  hours: Hours,
  time: number,
  edge: 'start' | 'end',
  opens: boolean,
): number | null {
  const at = positionInWeek(time);
  const waits = hours.spans
    .map((span) => span[edge] * MINUTE_MS)
    .map((position) => ((position - at + WEEK_MS - 1) % WEEK_MS) + 1)
    // A span that ends at Saturday midnight and continues at Sunday 00:00 has no edge there.
    .filter(
      (wait) => isOpen(hours, time + wait) === opens && isOpen(hours, time + wait - 1) !== opens,
    );
  return waits.length === 0 ? null : time + Math.min(...waits);
}

/** The next opening strictly after `time`, or null when none ever comes. */
export function nextOpen(hours: Hours, time: number): number | null {
  return nextEdge(hours, time, 'start', true);
}

/** The next closing strictly after `time`, or null when none ever comes. */
export function nextClose(hours: Hours, time: number): number | null {
  return nextEdge(hours, time, 'end', false);
}

/** The hours as a phrase that fits in a sentence. */
export function hoursInWords(hours: Hours): string {
  return hours.text === 'always' || hours.text === 'never' ? hours.text : `${hours.text} UTC`;
}

/** The answer of `GET /v3/availability` at `now`, epoch ms. */
export function availabilityAt(hours: Hours, region: string, now: number): Availability {
  return {
    open: isOpen(hours, now),
    region,
    hours: hoursInWords(hours),
    nextOpen: nextOpen(hours, now),
    nextClose: nextClose(hours, now),
  };
}
