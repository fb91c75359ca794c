/** Checks the options of generated trade. */
import { MAX_TIME_MS } from '@tillroll/contract';

export interface SampleOptions {
  merchantId: string;
  /** Exactly so many orders; each has at least one payment. */
  orders: number;
  /** Epoch milliseconds, inclusive. */
  from: number;
  /** Epoch milliseconds, exclusive. */
  to: number;
  /** 7 and '7' are the same seed. */
  seed: number | string;
}

/** Eight bytes each are held while a run lasts. */
const MAX_ORDERS = 100_000_000;

/** @throws RangeError that names the first option out of bounds. */
export function checkOptions({ orders, from, to }: SampleOptions): void {
  if (!Number.isInteger(orders) || orders < 0 || orders > MAX_ORDERS) {
    throw new RangeError(`orders must be a whole number from 0 to ${MAX_ORDERS}; got ${orders}`);
  }
  if (!Number.isInteger(from) || from < 0) {
    throw new RangeError(`from must be whole epoch milliseconds, 0 or more; got ${from}`);
  }
  if (!Number.isInteger(to) || to <= from || to > MAX_TIME_MS) {
    throw new RangeError(
      `to must be whole epoch milliseconds, later than from (${from}) and at most ${MAX_TIME_MS}; got ${to}`,
    );
  }
}
