import {
  DAY_MS,
  HOUR_MS,
  MAX_TIME_MS,
  MINUTE_MS,
  type LineItem,
  type Order,
  type Payment,
} from '@tillroll/contract';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  generateTrade,
  ordersNdjson,
  paymentsNdjson,
  type SampleOptions,
  type Trade,
} from '../src/index.ts';

const MARCH = Date.UTC(2025, 2, 1);
const options: SampleOptions = {
  merchantId: 'TRATTORIA',
  orders: 5000,
  from: MARCH,
  to: MARCH + 28 * DAY_MS,
  seed: 7,
};

const trade = [...generateTrade(options)];
const orders = trade.map(({ order }) => order);
const payments = trade.flatMap((each) => each.payments);

function sum(numbers: (number | undefined)[]): number {
  return numbers.reduce<number>((total, number) => total + (number ?? 0), 0);
}

function text(chunks: Iterable<Uint8Array>): string {
  return Buffer.concat([...chunks]).toString('utf8');
}

function listIds({ order, payments: paid }: Trade): string[] {
  const nested = [...(order.lineItems?.elements ?? []), ...(order.refunds?.elements ?? [])];
  return [order, ...paid, ...nested].map(({ id = '' }) => id);
}

function share<T>(all: readonly T[], holds: (one: T) => boolean): number {
  return all.filter(holds).length / all.length;
}

describe('count, bounds and identity', () => {
  test('any count and span: exact, in bounds, ascending, ids apart', () => {
    const span = fc.oneof(
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 1, max: 3 * DAY_MS }),
      fc.integer({ min: DAY_MS, max: 4000 * DAY_MS }),
    );
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 300 }),
        fc.oneof(fc.constant(0), fc.integer({ min: 0, max: Date.UTC(2030, 0, 1) })),
        span,
        fc.oneof(fc.integer(), fc.string()),
        (count, from, length, seed) => {
          const to = from + length;
          const made = [...generateTrade({ merchantId: 'ANY', orders: count, from, to, seed })];
          expect(made).toHaveLength(count);
          let before = from;
          for (const { order, payments: paid } of made) {
            expect(order.createdTime).toBeGreaterThanOrEqual(before);
            before = order.createdTime;
            expect(paid.length).toBeGreaterThan(0);
            expect(order.total).toBe(sum(paid.map(({ amount }) => amount)));
            for (const { createdTime, modifiedTime } of paid) {
              expect(Number.isInteger(createdTime)).toBe(true);
              expect(createdTime).toBeGreaterThanOrEqual(order.createdTime);
              expect(createdTime).toBeLessThan(to);
              expect(modifiedTime).toBeGreaterThanOrEqual(createdTime);
              expect(modifiedTime).toBeLessThan(to + DAY_MS);
            }
            expect(order.createdTime).toBeLessThan(to);
            expect(order.modifiedTime).toBeLessThan(to);
          }
          const ids = made.flatMap(listIds);
          expect(new Set(ids).size).toBe(ids.length);
        },
      ),
      { numRuns: 150 },
    );
  });

  test('the last instant that a date can hold', () => {
    const [last] = generateTrade({
      ...options,
      orders: 1,
      from: MAX_TIME_MS - 1,
      to: MAX_TIME_MS,
    });
    expect(last?.order.createdTime).toBe(MAX_TIME_MS - 1);
    expect(last?.payments[0]?.modifiedTime).toBe(MAX_TIME_MS);
  });

  test('the same options give the same bytes, other ones none of them', () => {
    const few = { ...options, orders: 50 };
    const same = text(ordersNdjson(few));
    expect(text(ordersNdjson({ ...few, seed: '7' }))).toBe(same);
    const others = [
      { ...few, merchantId: 'OSTERIA' },
      { ...few, orders: 51 },
      { ...few, from: few.from + 1 },
      { ...few, to: few.to + 1 },
      { ...few, seed: 8 },
    ];
    const runs = [few, ...others].map((each) => [...generateTrade(each)].flatMap(listIds));
    const ids = runs.flat();
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) expect(id).toMatch(/^[0-9A-HJKMNP-TV-Z]{13}$/);
  });

  test('a merchant keeps its staff from one span to the next', () => {
    const staff = (of: Order[]) => new Set(of.map(({ employee }) => employee?.id));
    const later = { ...options, from: options.to, to: options.to + 9 * DAY_MS, seed: 'other' };
    expect(staff([...generateTrade(later)].map(({ order }) => order))).toEqual(staff(orders));
  });

  test.each([
    [{ orders: -1 }, /orders must be .*got -1/],
    [{ orders: 1.5 }, /orders must be .*got 1.5/],
    [{ from: -1 }, /from must be .*got -1/],
    [{ to: MARCH }, /to must be .*later than from/],
    [{ to: NaN }, /to must be .*got NaN/],
  ])('%o is refused before anything is generated', (fault, message) => {
    expect(() => generateTrade({ ...options, ...fault })).toThrow(message);
  });
});

describe('money', () => {
  function gross({ price = 0, unitQty = 1000 }: LineItem): number {
    return Math.round((price * unitQty) / 1000);
  }

  function discounted(amount: number, of: Pick<Order, 'discounts'>): number {
    let left = amount;
    for (const discount of of.discounts?.elements ?? []) {
      expect(discount.amount ?? -1).toBeLessThan(0);
      left += discount.amount ?? -Math.round((amount * (discount.percentage as number)) / 100);
    }
    return left;
  }

  test('an order adds up: lines, discounts, tax and gratuity to its total', () => {
    for (const { order, payments: paid } of trade) {
      const lines = order.lineItems?.elements ?? [];
      const fees = sum(lines.filter((line) => line.isOrderFee).map(gross));
      const goods = lines.filter((line) => !line.isOrderFee);
      const net = discounted(sum(goods.map((line) => discounted(gross(line), line))), order);
      const tax = sum(paid.map(({ taxAmount }) => taxAmount));
      const rate = paid[0]?.taxRates?.elements[0]?.rate as number;
      expect(tax).toBe(Math.round((net * rate) / 10_000_000));
      expect(order.total).toBe(net + tax + fees);
      expect(order.total).toBe(sum(paid.map(({ amount }) => amount)));
    }
  });

  test('one currency; amounts are whole cents, above zero', () => {
    for (const each of [...orders, ...payments]) expect(each.currency).toBe('USD');
    for (const { amount, taxAmount, tipAmount = 0 } of payments) {
      expect([amount, taxAmount, tipAmount].every(Number.isInteger)).toBe(true);
      expect(amount).toBeGreaterThan(0);
      expect(taxAmount).toBeGreaterThanOrEqual(0);
    }
  });

  test('cash has no tip, a declined tip is 0', () => {
    const isCash = ({ tender }: Payment) => tender?.label === 'Cash';
    for (const payment of payments) {
      expect('tipAmount' in payment).toBe(!isCash(payment));
      expect('cardTransaction' in payment).toBe(!isCash(payment));
    }
    expect(share(payments, isCash)).toBeGreaterThan(0.1);
    expect(share(payments, ({ tipAmount }) => tipAmount === 0)).toBeGreaterThan(0.1);
    expect(share(payments, ({ tipAmount = 0 }) => tipAmount > 0)).toBeGreaterThan(0.4);
  });

  test('7 % of orders have several payments', () => {
    const several = share(trade, (each) => each.payments.length > 1);
    expect(several).toBeGreaterThan(0.06);
    expect(several).toBeLessThan(0.08);
  });

  test('refunds exist, and change neither result nor paymentState', () => {
    const refunded = trade.filter(({ order }) => order.refunds);
    expect(refunded.length / trade.length).toBeGreaterThan(0.005);
    expect(refunded.length / trade.length).toBeLessThan(0.03);
    for (const { order, payments: paid } of refunded) {
      expect(order.refunds?.elements).toEqual(paid.flatMap((each) => each.refunds?.elements ?? []));
      for (const refund of order.refunds?.elements ?? []) {
        const payment = paid.find(({ id }) => id === refund.payment?.id);
        expect(refund.amount).toBeLessThanOrEqual(payment?.amount as number);
        expect(order.modifiedTime).toBeGreaterThanOrEqual(refund.createdTime as number);
      }
    }
    for (const { order, payments: paid } of trade) {
      expect(order.paymentState).toBe('PAID');
      for (const { result } of paid) expect(result).toBe('SUCCESS');
    }
  });
});

describe('facts of real trade', () => {
  const lines = orders.flatMap((order) => order.lineItems?.elements ?? []);

  test('gratuity, measured goods and both kinds of discount occur', () => {
    const discounts = [...orders, ...lines].flatMap((each) => each.discounts?.elements ?? []);
    expect(lines.some(({ isOrderFee }) => isOrderFee)).toBe(true);
    expect(lines.some(({ unitQty }) => unitQty !== undefined)).toBe(true);
    expect(discounts.some(({ amount = 0 }) => amount < 0)).toBe(true);
    expect(discounts.some(({ percentage = 0 }) => percentage > 0)).toBe(true);
  });

  test('state is mostly locked, sometimes open or null', () => {
    expect(new Set(orders.map(({ state }) => state))).toEqual(new Set(['locked', 'open', null]));
    expect(share(orders, ({ state }) => state === 'locked')).toBeGreaterThan(0.9);
  });

  test('a table pays 45 min to 2 h after it orders, a counter at once', () => {
    for (const { order, payments: paid } of trade) {
      const waited = (paid[0]?.createdTime as number) - order.createdTime;
      const table = order.title?.startsWith('Table ') ?? false;
      expect(waited).toBeGreaterThanOrEqual(table ? 45 * MINUTE_MS : 1);
      expect(waited).toBeLessThanOrEqual(table ? 2 * HOUR_MS : MINUTE_MS);
    }
  });

  test('all payments of a day are modified at one instant, its closeout', () => {
    const closeouts = new Map<string, Set<number>>();
    for (const { createdTime, modifiedTime } of payments) {
      const day = new Date(createdTime - 3 * HOUR_MS).toISOString().slice(0, 10);
      closeouts.set(day, (closeouts.get(day) ?? new Set()).add(modifiedTime));
    }
    expect(closeouts.size).toBe(28);
    for (const [day, instants] of closeouts) {
      expect([...instants]).toEqual([Date.parse(day) + DAY_MS + 3 * HOUR_MS]);
    }
  });

  test('closed at night, busiest at lunch and dinner, and at the weekend', () => {
    const byHour = Array.from({ length: 24 }, () => 0);
    const byDay = Array.from({ length: 7 }, () => 0);
    for (const { createdTime } of orders) {
      const date = new Date(createdTime);
      byHour[date.getUTCHours()]!++;
      byDay[date.getUTCDay()]!++;
    }
    expect(sum([...byHour.slice(0, 7), ...byHour.slice(22)])).toBe(0);
    expect(byHour.slice(7, 22).every((count) => count > 0)).toBe(true);
    expect(Math.min(byHour[12]!, byHour[19]!)).toBeGreaterThan(2 * byHour[15]!);
    expect(byDay[6]!).toBeGreaterThan(1.5 * byDay[1]!);
  });

  test('text holds what breaks a careless reader', () => {
    const ndjson = text(ordersNdjson(options));
    expect(ndjson).toMatch(/\p{Extended_Pictographic}/u);
    expect(ndjson).toMatch(/[À-ž]/);
    for (const escape of ['\\"', '\\\\', '\\n']) expect(ndjson).toContain(escape);
  });
});

describe('NDJSON', () => {
  test('the same objects, one a line, compact, about 1.4 kB an order', () => {
    const ndjson = text(ordersNdjson(options));
    expect(ndjson).toBe(orders.map((order) => `${JSON.stringify(order)}\n`).join(''));
    expect(text(paymentsNdjson(options))).toBe(
      payments.map((payment) => `${JSON.stringify(payment)}\n`).join(''),
    );
    const average = Buffer.byteLength(ndjson) / orders.length;
    expect(average).toBeGreaterThan(1300);
    expect(average).toBeLessThan(1500);
  });

  test('chunks of about 256 kB end at the end of a line, and are each their own memory', () => {
    const chunks = [...ordersNdjson(options)];
    for (const chunk of chunks) expect(chunk.at(-1)).toBe(10);
    for (const chunk of chunks.slice(0, -1)) {
      expect(chunk.length).toBeLessThanOrEqual(256 * 1024);
      expect(chunk.length).toBeGreaterThan(200 * 1024);
    }
    expect(new Set(chunks.map(({ buffer }) => buffer)).size).toBe(chunks.length);
  });

  test('no orders, no chunks', () => {
    expect([...ordersNdjson({ ...options, orders: 0 })]).toEqual([]);
    expect([...paymentsNdjson({ ...options, orders: 0 })]).toEqual([]);
  });
});
