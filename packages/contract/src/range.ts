import { MAX_RANGE_MS } from './limits.ts';

/** A half-open range of time: `startTime <= t < endTime`, epoch milliseconds. */
export interface TimeRange {
  startTime: number;
  endTime: number;
}

/**
 * Cuts a span into ranges that may be requested: cells of 30 days counted from epoch 0, clipped to
 * the span. Counting from a fixed origin makes a repeated or longer pull ask for the same ranges.
 * @throws RangeError when a bound is not an integer or `startTime >= endTime`.
 */
export function* cells(span: TimeRange): Generator<TimeRange, void, void> {
  const { startTime, endTime } = span;
  if (!Number.isSafeInteger(startTime) || !Number.isSafeInteger(endTime) || startTime >= endTime) {
    throw new RangeError(`not a range of time: ${startTime} to ${endTime}`);
  }
  let from = startTime;
  while (from < endTime) {
    const next = (Math.floor(from / MAX_RANGE_MS) + 1) * MAX_RANGE_MS;
    const to = Math.min(next, endTime);
    yield { startTime: from, endTime: to };
    from = to;
  }
}
