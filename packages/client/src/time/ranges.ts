/** Set operations on half-open ranges of time. */
import type { TimeRange } from '@tillroll/contract';

/** Tells whether two ranges share an instant. */
export function overlaps(a: TimeRange, b: TimeRange): boolean {
  return a.startTime < b.endTime && b.startTime < a.endTime;
}

/** Tells whether all of `part` is in `whole`. */
export function isInside(part: TimeRange, whole: TimeRange): boolean {
  return part.startTime >= whole.startTime && part.endTime <= whole.endTime;
}

/** Finds the shortest range that holds all of these. */
export function coverRanges(ranges: readonly TimeRange[]): TimeRange {
  return {
    startTime: Math.min(...ranges.map(({ startTime }) => startTime)),
    endTime: Math.max(...ranges.map(({ endTime }) => endTime)),
  };
}

/** Joins ranges that overlap or touch; sorted by time. */
export function union(ranges: readonly TimeRange[]): TimeRange[] {
  const joined: TimeRange[] = [];
  for (const { startTime, endTime } of ranges.toSorted((a, b) => a.startTime - b.startTime)) {
    const last = joined.at(-1);
    if (last && startTime <= last.endTime) last.endTime = Math.max(last.endTime, endTime);
    else joined.push({ startTime, endTime });
  }
  return joined;
}

/** Cuts `parts` out of `whole`. */
export function subtract(whole: TimeRange, parts: readonly TimeRange[]): TimeRange[] {
  const left: TimeRange[] = [];
  let from = whole.startTime;
  for (const { startTime, endTime } of parts.toSorted((a, b) => a.startTime - b.startTime)) {
    if (startTime > from)
      left.push({ startTime: from, endTime: Math.min(startTime, whole.endTime) });
    from = Math.max(from, endTime);
  }
  if (from < whole.endTime) left.push({ startTime: from, endTime: whole.endTime });
  return left.filter((range) => range.startTime < range.endTime);
}
