/** Types of a dry run: the objects that are asked about, and their measure. */
import type { ExportType } from '@tillroll/contract';

/** A merchant's objects of one type in a range, epoch milliseconds, half-open; or those that changed. */
export interface ObjectRange {
  readonly merchantId: string;
  readonly type: ExportType;
  readonly startTime: number;
  readonly endTime: number;
  /** Changes after this number of a load; null for the range. */
  readonly sinceNumber: number | null;
}

export interface ObjectMeasure {
  /** Exact. */
  readonly objects: number;
  /** Mean bytes of an object, by a sample of the first and the last ones; 0 without objects. */
  readonly meanBytes: number;
}
