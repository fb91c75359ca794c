/** Judges numbers by how they are written: whether every reader reads the same value. */
import { MAX_OBJECT_TIME_MS } from '@tillroll/contract';

const MINUS = 0x2d;
const ZERO = 0x30;
/** So many digits always fit the 53 bits that every reader's numbers have. */
const SAFE_DIGITS = 15;

/** The value of an integer that stands from `start` to `end` in digits; rounded above 2^53. */
export function parseInteger(bytes: Buffer, start: number, end: number): number {
  const isNegative = bytes[start] === MINUS;
  const from = isNegative ? start + 1 : start;
  if (end - from > SAFE_DIGITS) return Number(bytes.toString('latin1', start, end));
  let value = 0;
  for (let at = from; at < end; at++) value = value * 10 + (bytes[at] as number) - ZERO;
  return isNegative ? -value : value;
}

/** Some readers keep -0 apart from 0, and some do not. */
export function isMinusZero(bytes: Buffer, start: number): boolean {
  return bytes[start] === MINUS && bytes[start + 1] === ZERO;
}

/**
 * Tells whether a JSON number without a point and an exponent is one integer to every reader, which is
 * so up to 2^53 - 1.
 */
export function isPlainInteger(bytes: Buffer, start: number, end: number): boolean {
  if (isMinusZero(bytes, start)) return false;
  return end - start <= SAFE_DIGITS || Number.isSafeInteger(parseInteger(bytes, start, end));
}

/** The allowed times, as the end of a sentence with "must be". */
export const TIME_ALLOWED = `a whole number of epoch milliseconds from 0 to ${MAX_OBJECT_TIME_MS}, written in digits alone`;

/** Numbers that are the first months of 1970 as milliseconds, and the years 1973 to 2286 as seconds. */
const SECONDS = { from: 100_000_000, to: 10_000_000_000 };

/** Explains why a time cannot be one of an object, as the end of a sentence with "must be"; null when it can. */
export function timeFault(time: number): string | null {
  if (time >= SECONDS.from && time < SECONDS.to)
    return `epoch milliseconds; got ${time}, which looks like seconds: send ${time * 1000}`;
  if (time >= 0 && time <= MAX_OBJECT_TIME_MS) return null;
  const looks =
    time >= SECONDS.from * 1e9
      ? ', which looks like nanoseconds'
      : time > MAX_OBJECT_TIME_MS
        ? ', which looks like microseconds'
        : '';
  return `${TIME_ALLOWED}; got ${time}${looks}`;
}
