/** The types of the books: orders and payments with odd amounts. `objects.ts` makes them. */

/** Places, each with the hour until which the night belongs to the day before. */
export const PLACES = [
  { zone: 'America/New_York', closingHour: 4 },
  { zone: 'Europe/Berlin', closingHour: 3 },
  { zone: 'Australia/Sydney', closingHour: 5 },
] as const;

/** Both changes of the clocks in all three places are in the span. */
export const SPAN = { from: '2025-09-20', to: '2026-04-20' } as const;

/** The currency of everything that jq, which has doubles alone, cannot read. */
export const LARGE = 'IRR';

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
