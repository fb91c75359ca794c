import { Temporal } from 'temporal-polyfill';

/**
 * 300 orders and their payments as tills write them, with all that made sums wrong before: the books that
 * every format, the receipt, the summary and readers of other makers must agree on. The same at each run.
 */

/** Places, each with the hour until which the night belongs to the day before. */
export const PLACES = [
  { zone: 'America/New_York', closingHour: 4 },
  { zone: 'Europe/Berlin', closingHour: 3 },
  { zone: 'Australia/Sydney', closingHour: 5 },
] as const;

/** Both changes of the clocks in all three places are in the span. */
export const SPAN = { from: '2025-09-20', to: '2026-04-20' } as const;

/** Local days on which clocks change, a place each. */
const CLOCK_CHANGES = [
  ['2025-11-02', '2026-03-08'],
  ['2025-10-26', '2026-03-29'],
  ['2025-10-05', '2026-04-05'],
] as const;

/** `XXQ` does not exist. Amounts of IRR are beyond what a double holds. */
const CURRENCIES = ['USD', 'USD', 'USD', 'JPY', 'KWD', 'HUF', 'CLF', 'XXQ', 'XAU', 'IRR'] as const;
/** The currency of everything that jq, which has doubles alone, cannot read. */
export const LARGE = 'IRR';

const ORDERS = 300;
const MAX_SAFE = 9_007_199_254_740_991n;
const MAX_INT64 = 9_223_372_036_854_775_807n;
const NOTE_LENGTH = 200_000;

/** A number that is not to be counted, as it is written. */
export class Uncountable {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** A whole number that is not written as digits alone. */
export class WrittenAs {
  readonly value: bigint;
  readonly text: string;
  constructor(value: bigint, text: string) {
    this.value = value;
    this.text = text;
  }
}

/** An amount: a bigint is one that counts; undefined is not there. */
export type BookAmount = bigint | WrittenAs | Uncountable | null | undefined;

export interface BookRefund {
  id: string | undefined;
  amount: BookAmount;
  taxAmount: BookAmount;
  createdTime: number;
}

export interface BookPayment {
  id: string;
  orderId: string;
  createdTime: number;
  modifiedTime: number;
  currency: string | null | Uncountable | undefined;
  amount: BookAmount;
  tipAmount: BookAmount;
  taxAmount: BookAmount;
  result: string | undefined;
  refunds: BookRefund[];
  more: Record<string, unknown>;
}

export interface BookOrder {
  id: string;
  createdTime: number;
  modifiedTime: number;
  currency: string | null | Uncountable | undefined;
  total: BookAmount;
  payments: BookPayment[];
  /** Refunds as they stand in the order; `paymentId` where they name one. */
  refunds: (BookRefund & { paymentId: string | undefined })[];
  more: Record<string, unknown>;
}

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

type Between = (low: number, high: number) => number;

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
  // What clocks skip is moved; of what they show twice it is the second one.
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

/** Totals that are missing, of another type, or no whole number of 64 bits, now and then. */
function spoil(amount: bigint, index: number, currency: unknown): BookAmount {
  const isLarge = currency === LARGE;
  switch (index % 37) {
    case 5:
      return undefined;
    case 6:
      return null;
    case 7:
      return new Uncountable('"1250"');
    case 8:
      return new Uncountable('12.5');
    case 9:
      return new WrittenAs(1000n, '1e3');
    case 10:
      return new WrittenAs(1250n, '1250.00');
    case 11:
      return isLarge ? new Uncountable(String(MAX_INT64 + 1n)) : amount;
    case 12:
      return isLarge ? MAX_INT64 : 0n;
    case 13:
      return -amount;
    default:
      return amount;
  }
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

function makePayments(
  index: number,
  order: Pick<BookOrder, 'id' | 'createdTime' | 'currency'> & { amount: bigint },
  between: Between,
): BookPayment[] {
  const { amount } = order;
  const part = amount / 3n;
  const plans: [amount: bigint, result: string | undefined][][] = [
    [[amount, 'SUCCESS']],
    [
      [amount - 2n * part, 'SUCCESS'],
      [part, 'SUCCESS'],
      [part, 'SUCCESS'],
    ],
    [
      [amount, 'FAIL'],
      [amount, 'SUCCESS'],
    ],
    [[amount, 'VOIDED']],
    [],
    [[part, 'SUCCESS']],
    [
      [amount, 'VOIDED'],
      [amount, 'FAIL'],
      [part, 'SUCCESS'],
      [amount - part, undefined],
    ],
  ];
  return (plans[index % plans.length] ?? []).map(([paid, result], at) => {
    const createdTime = order.createdTime + (at + 1) * between(1, 90) * 60_000;
    const isCash = (index + at) % 4 === 0;
    const id = `PAY${String(index).padStart(4, '0')}${at}`;
    return {
      id,
      orderId: order.id,
      createdTime,
      modifiedTime: createdTime + 6 * 3_600_000,
      currency: order.currency,
      amount: spoil(paid, index + at + 11, order.currency),
      tipAmount: isCash ? undefined : index % 9 === 2 ? null : paid / 6n,
      taxAmount: index % 13 === 4 ? new Uncountable('"7"') : paid / 11n,
      result,
      refunds: makeRefunds(index + at, id, paid, createdTime),
      more: {
        tender: { id: 'TENDER', label: isCash ? 'Bar, „bar“' : 'Card' },
        ...(isCash
          ? { cashTendered: 5000 }
          : { cardTransaction: { last4: '0042', cardType: 'VISA' } }),
        ...(index % 11 === 3 ? { unknownMember: { deep: [1, { er: null }] } } : {}),
      },
    };
  });
}

function makeRefunds(
  kind: number,
  paymentId: string,
  paid: bigint,
  createdTime: number,
): BookRefund[] {
  const refund = (name: string | undefined, amount: BookAmount, days: number): BookRefund => ({
    id: name === undefined || name === '' ? name : `REF${paymentId}${name}`,
    amount,
    taxAmount: typeof amount === 'bigint' ? amount / 11n : undefined,
    createdTime: createdTime + days * 86_400_000,
  });
  switch (kind % 12) {
    case 1:
      return [refund('A', paid, 0)];
    case 3:
      return [refund('A', paid / 4n, 2)];
    case 5:
      return [refund('A', paid / 4n, 0), refund('B', paid / 8n, 1)];
    case 7:
      return [refund('A', paid, 40)];
    case 8:
      return [
        { ...refund('A', paid / 5n, 1), id: 'SAMEREFUND' },
        { ...refund('A', 1n, 1), id: 'SAMEREFUND' },
      ];
    case 9:
      return [refund(undefined, paid / 10n, 0), refund('', 7n, 0), refund('', 7n, 0)];
    case 10:
      return [refund('A', undefined, 0), refund('B', new Uncountable('12.5'), 0)];
    default:
      return [];
  }
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
