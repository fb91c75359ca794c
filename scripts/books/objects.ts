/**
 * 300 orders and their payments as tills write them, with all that made sums wrong before: the books that
 * every format, the receipt, the summary and readers of other makers must agree on. The same at each run.
 */
import { Temporal } from 'temporal-polyfill';
import {
  LARGE,
  PLACES,
  SPAN,
  Uncountable,
  WrittenAs,
  type BookOrder,
  type BookRefund,
} from './book.ts';
import { makePayments, spoil, type Between } from './payments.ts';

/** Local days on which clocks change, a place each. */
const CLOCK_CHANGES = [
  ['2025-11-02', '2026-03-08'],
  ['2025-10-26', '2026-03-29'],
  ['2025-10-05', '2026-04-05'],
] as const;

/** `XXQ` does not exist. Amounts of IRR are beyond what a double holds. */
const CURRENCIES = ['USD', 'USD', 'USD', 'JPY', 'KWD', 'HUF', 'CLF', 'XXQ', 'XAU', 'IRR'] as const;
const ORDERS = 300;
const MAX_SAFE = 9_007_199_254_740_991n;
const NOTE_LENGTH = 200_000;

/** Mulberry32: numbers from 0 to 1, the same for the same seed. */
function makeRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export function makeBooks(): BookOrder[] {
  const random = makeRandom(20_260_101);
  const between = (low: number, high: number): number =>
    low + Math.floor(random() * (high - low + 1));
  return Array.from({ length: ORDERS }, (_, index) => makeOrder(index, random, between));
}

/** Around closing hours, around midnight, or any time; often in a night in which clocks change. */
function makeTime(index: number, between: Between): number {
  const place = index % PLACES.length;
  const { zone } = PLACES[place] as (typeof PLACES)[number];
  const isChange = index % 4 === 0;
  const day = isChange
    ? Temporal.PlainDate.from(CLOCK_CHANGES[place]?.[between(0, 1)] ?? '').add({
        days: between(-1, 1),
      })
    : Temporal.PlainDate.from(SPAN.from).add({ days: between(5, 200) });
  const hour = index % 2 === 0 ? between(0, 5) : between(6, 23);
  const time = {
    hour,
    minute: between(0, 59),
    second: between(0, 59),
    millisecond: between(0, 999),
  };
  // A local time that clocks skip is moved; of one that they show twice, the second is taken.
  return day
    .toPlainDateTime(time)
    .toZonedDateTime(zone, { disambiguation: index % 8 === 0 ? 'later' : 'compatible' })
    .epochMilliseconds;
}

function makeAmount(currency: unknown, between: Between): bigint {
  return currency === LARGE
    ? MAX_SAFE + BigInt(between(1, 1_000_000))
    : BigInt(between(100, 2_000_000));
}

function makeCurrency(index: number, between: Between): BookOrder['currency'] {
  switch (index % 23) {
    case 3:
      return undefined;
    case 4:
      return null;
    case 5:
      return new Uncountable('840');
    case 6:
      return LARGE;
    default:
      return CURRENCIES[between(0, CURRENCIES.length - 1)];
  }
}

function makeOrder(index: number, random: () => number, between: Between): BookOrder {
  const id = `ORDER${String(index).padStart(4, '0')}`;
  const createdTime = makeTime(index, between);
  const currency = makeCurrency(index, between);
  const amount = makeAmount(currency, between);
  const payments = makePayments(index, { id, createdTime, currency, amount }, between);
  const refunds = payments.flatMap((payment, at) =>
    (index + at) % 3 === 2
      ? []
      : payment.refunds.map((refund) => ({
          ...refund,
          paymentId: refund.id === undefined ? undefined : payment.id,
        })),
  );
  // Some stand in the order alone.
  if (index % 6 === 1) for (const payment of payments) payment.refunds = [];
  return {
    id,
    createdTime,
    modifiedTime: createdTime + between(0, 40) * 86_400_000,
    currency,
    total: spoil(amount, index, currency),
    payments,
    refunds,
    more: makeOrderMembers(index, amount, random),
  };
}

function makeOrderMembers(
  index: number,
  amount: bigint,
  random: () => number,
): Record<string, unknown> {
  const lineItems: Record<string, unknown>[] = [
    { id: `L${index}A`, name: 'Margherita, "large"', price: amount, unitQty: 1500, unitName: 'kg' },
  ];
  if (index % 5 === 0)
    lineItems.push({
      id: `L${index}B`,
      name: 'Auto gratuity 18%',
      price: amount / 5n,
      isOrderFee: true,
      isRevenue: false,
    });
  if (index % 4 === 1)
    Object.assign(lineItems[0] ?? {}, {
      discounts: { elements: [{ id: `D${index}`, name: 'Happy hour', percentage: 10 }] },
      modifications: { elements: [{ id: `M${index}`, name: 'Extra cheese', amount: 75 }] },
    });
  return {
    ...(index % 7 === 3
      ? { discounts: { elements: [{ id: `DO${index}`, name: 'Voucher', amount: -amount / 10n }] } }
      : {}),
    ...(index % 50 === 25 ? { note: 'ein Zettel\n'.repeat(NOTE_LENGTH / 11) } : {}),
    ...(index % 10 === 6
      ? { note: null, employee: null }
      : { employee: { id: 'E1', href: 'https://e' } }),
    ...(index % 9 === 8 ? { isUnknown: random() < 0.5, créé: [[], {}] } : {}),
    state: index % 12 === 0 ? null : 'locked',
    lineItems: { elements: lineItems },
  };
}

/** JSON with bigints and uncountable numbers as they are. */
function stringify(value: unknown): string {
  return JSON.stringify(value, (_key, each: unknown) => {
    if (typeof each === 'bigint') return JSON.rawJSON(String(each));
    return each instanceof Uncountable || each instanceof WrittenAs
      ? JSON.rawJSON(each.text)
      : each;
  });
}

const refundMembers = ({ id, amount, taxAmount, createdTime }: BookRefund): object => ({
  id,
  amount,
  taxAmount,
  createdTime,
});

/** The objects' JSON texts, as a server keeps them. */
export function writeBooks(orders: readonly BookOrder[]): { ORDERS: string[]; PAYMENTS: string[] } {
  return {
    ORDERS: orders.map(({ payments, refunds, more, ...order }) =>
      stringify({
        ...order,
        ...more,
        payments: {
          elements: payments.map(({ id, amount, result }) => ({ id, amount, result })),
        },
        ...(refunds.length === 0
          ? {}
          : {
              refunds: {
                elements: refunds.map(({ paymentId, ...refund }) => ({
                  ...refundMembers(refund),
                  ...(paymentId === undefined ? {} : { payment: { id: paymentId } }),
                })),
              },
            }),
      }),
    ),
    PAYMENTS: orders.flatMap(({ payments }) =>
      payments.map(({ refunds, more, orderId, ...payment }) =>
        stringify({
          ...payment,
          order: { id: orderId },
          ...more,
          ...(refunds.length === 0 ? {} : { refunds: { elements: refunds.map(refundMembers) } }),
        }),
      ),
    ),
  };
}
