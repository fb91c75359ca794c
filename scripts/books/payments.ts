/** Makes the payments of the books. */
import {
  LARGE,
  Uncountable,
  WrittenAs,
  type BookAmount,
  type BookOrder,
  type BookPayment,
  type BookRefund,
} from './book.ts';

const MAX_INT64 = 9_223_372_036_854_775_807n;

/** A whole number from `low` to `high`, both included. */
export type Between = (low: number, high: number) => number;

/** Totals that are missing, of another type, or no whole number of 64 bits, now and then. */
export function spoil(amount: bigint, index: number, currency: unknown): BookAmount {
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

/** The payments of an order: whole, in parts, failed, voided, none. */
export function makePayments(
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
