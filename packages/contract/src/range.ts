/** A half-open range of time: `startTime <= t < endTime`, epoch milliseconds. */
export interface TimeRange {
  startTime: number;
  endTime: number;
}
