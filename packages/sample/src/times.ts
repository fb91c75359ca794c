/** Spreads orders over the hours and days of a trading week. */
import { DAY_MS, HOUR_MS, MAX_TIME_MS } from '@tillroll/contract';
import type { Random } from './prng.ts';

const WEEK_MS = 7 * DAY_MS;
/** Epoch 0 was a Thursday, day 4 of a week that begins on Sunday. */
const EPOCH_OFFSET_MS = 4 * DAY_MS;

/** The share of trade of each hour of the day: closed until 7 and from 22, peaks at lunch and dinner. */
const BY_HOUR = [
  0, 0, 0, 0, 0, 0, 0, 2, 4, 4, 3, 6, 11, 9, 4, 3, 3, 6, 11, 12, 8, 3, 0, 0,
] as const;
/** From Sunday. */
const BY_DAY = [1.1, 0.7, 0.8, 0.9, 1, 1.4, 1.5] as const;

const WEIGHTS = BY_DAY.flatMap((day) => BY_HOUR.map((hour) => day * hour));
/** Trade from the start of the week to the start of each of its hours. */
const TRADE_BEFORE = Float64Array.from({ length: WEIGHTS.length + 1 }, (_, hours) =>
  WEIGHTS.slice(0, hours).reduce((sum, weight) => sum + weight * HOUR_MS, 0),
);
const TRADE_OF_WEEK = TRADE_BEFORE[WEIGHTS.length] as number;

/** Trade between the start of a week and a moment `ms` later. */
function tradeAfter(ms: number): number {
  const weeks = Math.floor(ms / WEEK_MS);
  const inWeek = ms - weeks * WEEK_MS;
  const hour = Math.floor(inWeek / HOUR_MS);
  const inHour = inWeek - hour * HOUR_MS;
  return (
    weeks * TRADE_OF_WEEK + (TRADE_BEFORE[hour] as number) + (WEIGHTS[hour] as number) * inHour
  );
}

/** The inverse of `tradeAfter`: never inside a closed hour, which has no trade to land on. */
function findMoment(trade: number): number {
  const weeks = Math.floor(trade / TRADE_OF_WEEK);
  const inWeek = trade - weeks * TRADE_OF_WEEK;
  let hour = 0;
  for (let high = WEIGHTS.length - 1; hour < high;) {
    const middle = (hour + high + 1) >>> 1;
    if ((TRADE_BEFORE[middle] as number) <= inWeek) hour = middle;
    else high = middle - 1;
  }
  // The last hours of the week are closed: rounding may lead there, and back to the last open one.
  while (WEIGHTS[hour] === 0) hour--;
  const inHour = (inWeek - (TRADE_BEFORE[hour] as number)) / (WEIGHTS[hour] as number);
  return weeks * WEEK_MS + hour * HOUR_MS + Math.min(Math.floor(inHour), HOUR_MS - 1);
}

/**
 * The creation times of `count` orders in [from, to), ascending. A span of a day or more follows
 * the week (in UTC); a shorter one may lie in the night, and is filled evenly.
 */
export function tradeTimes(count: number, from: number, to: number, random: Random): Float64Array {
  const times = new Float64Array(count);
  // 32 bits are too few for years of milliseconds.
  const fraction = () => random.next() + random.next() / 0x1_0000_0000;
  if (to - from < DAY_MS) {
    for (let i = 0; i < count; i++) times[i] = from + Math.floor(fraction() * (to - from));
  } else {
    const week = Math.floor((from + EPOCH_OFFSET_MS) / WEEK_MS) * WEEK_MS - EPOCH_OFFSET_MS;
    const start = tradeAfter(from - week);
    const trade = tradeAfter(to - week) - start;
    for (let i = 0; i < count; i++) times[i] = week + findMoment(start + fraction() * trade);
  }
  for (let i = 0; i < count; i++) {
    times[i] = Math.max(from, Math.min(times[i] as number, to - 1));
  }
  return times.sort();
}

/** A moment `low` to `high` ms after `time`; when that is too late, any moment left before `to`. */
export function laterWithin(
  time: number,
  low: number,
  high: number,
  to: number,
  random: Random,
): number {
  const later = time + random.int(low, high);
  return later < to ? later : random.int(time, to - 1);
}

const CLOSEOUT_MS = 3 * HOUR_MS;

/** The moment when the day that `time` belongs to is closed out: the next 03:00, at most 24 h later. */
export function closeoutAfter(time: number): number {
  const days = Math.floor((time - CLOSEOUT_MS) / DAY_MS) + 1;
  return Math.min(days * DAY_MS + CLOSEOUT_MS, MAX_TIME_MS);
}
