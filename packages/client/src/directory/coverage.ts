import type { ExportType, TimeRange } from '@tillroll/contract';
import type { Zone } from '../time/zone.ts';
import { monthName } from './layout.ts';

/** The pieces of a span that none of the ranges covers. All half-open. */
export function subtract(span: TimeRange, covers: readonly TimeRange[]): TimeRange[] {
  const pieces: TimeRange[] = [];
  let { startTime } = span;
  for (const cover of covers.toSorted((a, b) => a.startTime - b.startTime)) {
    if (cover.endTime <= startTime) continue;
    if (cover.startTime >= span.endTime) break;
    if (cover.startTime > startTime) pieces.push({ startTime, endTime: cover.startTime });
    startTime = cover.endTime;
  }
  if (startTime < span.endTime) pieces.push({ startTime, endTime: span.endTime });
  return pieces;
}

/** A month of a span that is not covered whole. Epoch ms, half-open: its part of the span. */
export interface Gap extends TimeRange {
  /** `orders/2026-01`. */
  name: string;
  type: ExportType;
}

/** The months of a span of which something is not covered. @param coversOf by the month's name. */
export function findGaps(
  type: ExportType,
  span: TimeRange,
  zone: Zone,
  coversOf: (month: string) => readonly TimeRange[] | undefined,
): Gap[] {
  return zone.months(span).flatMap((month) => {
    const startTime = Math.max(month.startTime, span.startTime);
    const endTime = Math.min(month.endTime, span.endTime);
    const isCovered = subtract({ startTime, endTime }, coversOf(month.name) ?? []).length === 0;
    return isCovered ? [] : [{ name: monthName(type, month.name), type, startTime, endTime }];
  });
}
