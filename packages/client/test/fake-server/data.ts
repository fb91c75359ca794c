import { HOUR_MS, MINUTE_MS, type ExportType, type TimeRange } from '@tillroll/contract';
import { between, idFrom, oneOf, randomFrom, type Random } from './random.ts';

/** An object as the fake server keeps it: its text, and what it is found and ordered by. */
export interface StoredObject {
  readonly id: string;
  readonly createdTime: number;
  /** The JSON text that is served, to the byte. */
  readonly text: string;
}

const ITEMS = ['Espresso', 'Flat white', 'Croissant', 'Crème brûlée', 'Bún chả', 'Pale ale'];
const NOTES = [
  'no ice',
  'für Zoë 🎂',
  'sans gluten — table 4',
  '卵なし',
  'a "quoted" \\ note',
  'tab\there',
];
const TAX_RATE = 1_000_000;

interface Bill {
  id: string;
  createdTime: number;
  payments: Record<string, unknown>[];
}

/**
 * Instants in [from, to), in order; some the same, and wherever two ranges that may be requested meet
 * one that is exactly there: that is where servers of other bounds repeat or lose an object.
 */
function instants(random: Random, count: number, span: TimeRange): number[] {
  const { startTime, endTime } = span;
  const step = (endTime - startTime) / Math.max(1, count);
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    const before = times.at(-1);
    const drawn = Math.floor(startTime + (i + random()) * step);
    times.push(before !== undefined && random() < 0.05 ? before : Math.min(endTime - 1, drawn));
  }
  const bounds = [...findBounds(span), endTime];
  for (const [i, bound] of bounds.slice(0, -1).entries()) {
    const index = times.findIndex((time) => time >= bound);
    if (index >= 0 && (times[index] as number) < (bounds[i + 1] as number)) times[index] = bound;
  }
  return times;
}

/** Starts of the ranges of exports: at the span's start, and at the 1st and the 16th of each month, UTC. */
function findBounds({ startTime, endTime }: TimeRange): number[] {
  const bounds = [startTime];
  const first = new Date(startTime);
  for (let month = 0; ; month++)
    for (const day of [1, 16]) {
      const bound = Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + month, day);
      if (bound >= endTime) return bounds;
      if (bound > startTime) bounds.push(bound);
    }
}

function payment(
  random: Random,
  id: string,
  createdTime: number,
  orderId: string,
): Record<string, unknown> {
  const amount = between(random, 150, 9900);
  const isCash = random() < 0.25;
  const declinedTip = random() < 0.3;
  return {
    id,
    order: { id: orderId },
    tender: isCash
      ? { id: 'TENDERCASH001', label: 'Cash', labelKey: 'com.clover.tender.cash' }
      : { id: 'TENDERCARD001', label: 'Credit Card', labelKey: 'com.clover.tender.credit_card' },
    currency: 'USD',
    amount,
    ...(isCash ? {} : { tipAmount: declinedTip ? 0 : Math.round(amount * 0.18) }),
    taxAmount: Math.round(amount / 11),
    createdTime,
    modifiedTime: createdTime + between(random, 2, 14) * HOUR_MS,
    result: random() < 0.97 ? 'SUCCESS' : 'FAIL',
    employee: { id: `EMPLOYEE0000${between(random, 1, 5)}` },
    ...(isCash
      ? {}
      : {
          cardTransaction: {
            cardType: oneOf(random, ['VISA', 'MC']),
            last4: String(between(random, 1000, 9999)),
            state: 'CLOSED',
          },
        }),
    taxRates: { elements: [{ id: 'TAXRATE000001', name: 'Sales tax', rate: TAX_RATE }] },
  };
}

function order(random: Random, bill: Bill): Record<string, unknown> {
  const paid = bill.payments.reduce((sum, { amount }) => sum + Number(amount), 0);
  const items = Array.from({ length: between(random, 1, 4) }, (_, i) => ({
    id: `N${i}${bill.id.slice(2)}`,
    name: oneOf(random, ITEMS),
    price: between(random, 100, 2500),
    ...(random() < 0.1 ? { unitQty: between(random, 1, 4000) } : {}),
    ...(random() < 0.2 ? { note: oneOf(random, NOTES) } : {}),
    createdTime: bill.createdTime + i,
    isOrderFee: false,
  }));
  return {
    href: `https://api.example.com/v3/merchants/M/orders/${bill.id}`,
    id: bill.id,
    currency: 'USD',
    employee: { id: `EMPLOYEE0000${between(random, 1, 5)}` },
    total: bill.payments.length > 0 ? paid : between(random, 100, 9900),
    ...(random() < 0.15 ? { note: oneOf(random, NOTES) } : {}),
    taxRemoved: false,
    isVat: false,
    state: bill.payments.length > 0 ? 'locked' : oneOf(random, ['open', null]),
    manualTransaction: false,
    testMode: false,
    paymentState: bill.payments.length > 0 ? 'PAID' : 'OPEN',
    createdTime: bill.createdTime,
    clientCreatedTime: bill.createdTime,
    modifiedTime: bill.createdTime + between(random, 1, 20) * HOUR_MS,
    lineItems: { elements: items },
    ...(bill.payments.length > 0
      ? { payments: { elements: bill.payments.map(({ id, amount }) => ({ id, amount })) } }
      : {}),
  };
}

/**
 * Orders and payments in Clover's shapes, created in [from, to): the same for the same arguments.
 * Payment i belongs to order i modulo the number of orders.
 */
export function generate(
  counts: { orders: number; payments: number },
  span: TimeRange,
  seed: number,
): Record<ExportType, string[]> {
  const random = randomFrom(seed);
  const bills: Bill[] = instants(random, counts.orders, span).map((createdTime, i) => ({
    id: idFrom(random, i),
    createdTime,
    payments: [],
  }));
  const alone = counts.orders === 0 ? instants(random, counts.payments, span) : [];
  const payments = Array.from({ length: counts.payments }, (_, i) => {
    const bill = bills[i % Math.max(1, bills.length)];
    const served = (bill?.createdTime ?? 0) + between(random, 45, 120) * MINUTE_MS;
    const createdTime = bill ? Math.min(span.endTime - 1, served) : (alone[i] as number);
    const made = payment(
      random,
      idFrom(random, counts.orders + i),
      createdTime,
      bill?.id ?? 'NOORDER000000',
    );
    bill?.payments.push(made);
    return made;
  });
  return {
    ORDERS: bills.map((bill) => JSON.stringify(order(random, bill))),
    PAYMENTS: payments.map((made) => JSON.stringify(made)),
  };
}

function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** One type's objects in the order of the contract: by createdTime, then by id as bytes. */
export class Shelf {
  #objects: StoredObject[] = [];

  constructor(texts: readonly string[]) {
    this.put(texts);
  }

  get objects(): readonly StoredObject[] {
    return this.#objects;
  }

  /** Adds objects, or replaces those of the same id. One without a createdTime is of the instant 0. */
  put(texts: readonly string[]): void {
    const byId = new Map(this.#objects.map((object) => [object.id || object.text, object]));
    for (const text of texts) {
      const parsed = JSON.parse(text) as { id?: unknown; createdTime?: unknown } | null;
      const id = typeof parsed?.id === 'string' ? parsed.id : '';
      const createdTime = typeof parsed?.createdTime === 'number' ? parsed.createdTime : 0;
      byId.set(id || text, { id, createdTime, text });
    }
    this.#objects = [...byId.values()].toSorted(
      (a, b) => a.createdTime - b.createdTime || compareBytes(a.id, b.id),
    );
  }

  /** The index of the first object with `createdTime >= time`. */
  indexOf(time: number): number {
    let low = 0;
    let high = this.#objects.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#objects[middle] as StoredObject).createdTime < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Those with `startTime <= createdTime < endTime`. */
  between(startTime: number, endTime: number): StoredObject[] {
    return this.#objects.slice(this.indexOf(startTime), this.indexOf(endTime));
  }
}
