/** Makes the line items of a visit, with discounts and gratuity. */
import { MINUTE_MS, SECOND_MS, type Discount, type LineItem, type Ref } from '@tillroll/contract';
import { BAKED, DRINKS, LINE_NOTES, MAINS, MEASURED, SIDES, type Dish } from './menu.ts';
import type { Merchant } from './merchant.ts';
import type { Random } from './prng.ts';
import { laterWithin } from './times.ts';

export interface SampleLine extends LineItem {
  orderRef: Ref;
  item?: Ref;
  unitName?: string;
  isRevenue: boolean;
}

/** A party of guests and their dishes, before any discount. */
export interface Visit {
  service: 'table' | 'counter';
  guests: number;
  dishes: Dish[];
}

/** More twos than anything else, and now and then a large party. */
const PARTY_SIZES = [1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 4, 4, 5, 6, 8] as const;

export function visit(random: Random): Visit {
  const dishes: Dish[] = [];
  if (random.chance(0.45)) {
    dishes.push(random.pick(DRINKS));
    if (random.chance(0.7)) dishes.push(random.pick(BAKED));
    if (random.chance(0.25)) dishes.push(random.pick(SIDES));
    if (random.chance(0.12)) dishes.push(random.pick(MEASURED));
    return { service: 'counter', guests: 1, dishes };
  }
  const guests = random.pick(PARTY_SIZES);
  for (let guest = 0; guest < guests; guest++) {
    dishes.push(random.pick(MAINS));
    if (random.chance(0.75)) dishes.push(random.pick(DRINKS));
    if (random.chance(0.35)) dishes.push(random.pick(SIDES));
  }
  return { service: 'table', guests, dishes };
}

/** Computes the price of a line before discounts. */
export function computeGross({ price = 0, unitQty = 1000 }: LineItem): number {
  return Math.round((price * unitQty) / 1000);
}

/** Computes how much a discount takes off `amount`, as a positive number. */
export function computeDiscount({ amount, percentage }: Discount, of: number): number {
  return amount === undefined ? Math.round((of * (percentage ?? 0)) / 100) : -amount;
}

/** One discount that leaves at least half of `of`. */
export function anyDiscount(id: string, of: number, random: Random): Discount {
  const dollars = random.int(1, 5);
  return random.chance(0.5) && of >= dollars * 200
    ? { id, name: `Voucher $${dollars}`, amount: -dollars * 100 }
    : { id, name: 'Happy hour', percentage: random.pick([5, 10, 15, 20, 50]) };
}

/** One line for each dish, and the discounts that belong to a line. */
export function makeLines(
  { service, dishes }: Visit,
  order: { id: string; createdTime: number; to: number },
  merchant: Merchant,
  random: Random,
  nextId: () => string,
): SampleLine[] {
  const orderRef = { id: order.id };
  const spread = service === 'table' ? 40 * MINUTE_MS : 2 * SECOND_MS;
  const lines = dishes.map((dish) => {
    const line: SampleLine = {
      id: nextId(),
      orderRef,
      item: merchant.items.get(dish) as Ref,
      name: dish.name,
      price: dish.price,
      createdTime: laterWithin(order.createdTime, 0, spread, order.to, random),
      refunded: false,
      isRevenue: true,
    };
    if (dish.unitName !== undefined) {
      line.unitName = dish.unitName;
      line.unitQty = random.int(100, 3000);
    }
    if (random.chance(0.07)) line.note = random.pick(LINE_NOTES);
    if (random.chance(0.02)) {
      line.discounts = { elements: [anyDiscount(nextId(), computeGross(line), random)] };
    }
    return line;
  });
  return lines.sort((a, b) => (a.createdTime as number) - (b.createdTime as number));
}

/** The gratuity that a house adds for a large table: a fee of the order, neither taxed nor revenue. */
export function gratuityLine(
  order: { id: string },
  createdTime: number,
  net: number,
  id: string,
): SampleLine {
  return {
    id,
    orderRef: { id: order.id },
    name: 'Auto gratuity 18%',
    price: Math.round(net * 0.18),
    createdTime,
    refunded: false,
    isRevenue: false,
    isOrderFee: true,
  };
}
