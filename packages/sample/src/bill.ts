/** Computes the bill of one visit: lines, discounts, tax and gratuity. */
import type { Discount } from '@tillroll/contract';
import {
  anyDiscount,
  computeDiscount,
  gratuityLine,
  computeGross,
  makeLines,
  type SampleLine,
  type Visit,
} from './line-items.ts';
import type { Merchant } from './merchant.ts';
import type { Random } from './prng.ts';

/** Large tables are where a house adds a gratuity of its own. */
const LARGE_TABLE = 6;

export interface Bill {
  lines: SampleLine[];
  /** Discounts of the whole order. */
  discounts: Discount[];
  tax: number;
  gratuity: boolean;
  /** Lines less discounts, plus tax and gratuity. */
  total: number;
}

function net(lines: readonly SampleLine[]): number {
  let sum = 0;
  for (const line of lines) {
    const gross = computeGross(line);
    sum += gross;
    for (const discount of line.discounts?.elements ?? []) sum -= computeDiscount(discount, gross);
  }
  return sum;
}

export function billFor(
  guests: Visit,
  order: { id: string; createdTime: number; to: number },
  merchant: Merchant,
  random: Random,
  nextId: () => string,
): Bill {
  const lines = makeLines(guests, order, merchant, random, nextId);
  let taxable = net(lines);
  const discounts: Discount[] = [];
  if (random.chance(0.05)) {
    const discount = anyDiscount(nextId(), taxable, random);
    discounts.push(discount);
    taxable -= computeDiscount(discount, taxable);
  }
  const tax = Math.round((taxable * merchant.taxRate.rate) / 10_000_000);
  let total = taxable + tax;
  const gratuity = guests.guests >= LARGE_TABLE && random.chance(0.6);
  if (gratuity) {
    const createdTime = lines.at(-1)?.createdTime ?? order.createdTime;
    const line = gratuityLine(order, createdTime, taxable, nextId());
    lines.push(line);
    total += computeGross(line);
  }
  return { lines, discounts, tax, gratuity, total };
}
