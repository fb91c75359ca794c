/** Computes the sums that every reader must find, from the books alone. */
import { Temporal } from 'temporal-polyfill';
import {
  Uncountable,
  WrittenAs,
  type BookAmount,
  type BookOrder,
  type BookRefund,
} from './book.ts';

/** Sums as text, so that all readers' can be compared: `{"amount":"12",...}` by kind. */
export type Figures = Record<string, Record<string, string>>;

/** The sums that a reader finds in a directory. */
export interface Found {
  /** By `ORDERS 2026-01 USD`: objects, amount, refundAmount. Of payments, those with SUCCESS. */
  months: Figures;
  /** By `America/New_York 2026-01-31 USD`, a business day: successful payments, amount. */
  days: Figures;
}

/** A place, and until which hour of the night it is the day before. */
export interface Place {
  zone: string;
  closingHour: number;
}

const INT64 = 2n ** 63n;

function countable(amount: BookAmount): bigint {
  if (amount instanceof WrittenAs) return amount.value;
  return typeof amount === 'bigint' && amount < INT64 && amount > -INT64 ? amount : 0n;
}

/** Reads an object's currency; only a text is one. */
export function currencyName(currency: BookOrder['currency']): string {
  return typeof currency === 'string' ? currency : '-';
}

/** The local time, as clocks show it. */
function clocks(time: number, zone: string): Temporal.PlainDateTime {
  return Temporal.Instant.fromEpochMilliseconds(time).toZonedDateTimeISO(zone).toPlainDateTime();
}

export function findMonth(time: number, zone: string): string {
  return clocks(time, zone).toPlainDate().toString().slice(0, 7);
}

export function findBusinessDay(time: number, { zone, closingHour }: Place): string {
  return clocks(time, zone).subtract({ hours: closingHour }).toPlainDate().toString();
}

/** Adds to the figures of a kind. */
export function add(
  all: Figures,
  kind: string,
  figures: Readonly<Record<string, bigint | number>>,
): void {
  const sums = (all[kind] ??= {});
  for (const [name, value] of Object.entries(figures))
    sums[name] = String(BigInt(sums[name] ?? 0) + BigInt(value));
}

const sumRefunds = (refunds: readonly BookRefund[]): bigint =>
  refunds.reduce((sum, { amount }) => sum + countable(amount), 0n);

/** Computes the sums that every reader has to find, from the books alone. @param zone of the directory's months. */
export function expectFound(
  orders: readonly BookOrder[],
  zone: string,
  places: readonly Place[],
): Found {
  const found: Found = { months: {}, days: {} };
  for (const { createdTime, currency, total, refunds, payments } of orders) {
    const name = currencyName(currency);
    add(found.months, `ORDERS ${findMonth(createdTime, zone)} ${name}`, {
      objects: 1,
      amount: countable(total),
      refundAmount: sumRefunds(refunds),
    });
    for (const payment of payments) {
      if (payment.result !== 'SUCCESS') continue;
      add(found.months, `PAYMENTS ${findMonth(payment.createdTime, zone)} ${name}`, {
        objects: 1,
        amount: countable(payment.amount),
        refundAmount: sumRefunds(payment.refunds),
      });
      for (const place of places)
        add(found.days, `${place.zone} ${findBusinessDay(payment.createdTime, place)} ${name}`, {
          objects: 1,
          amount: countable(payment.amount),
        });
    }
  }
  return found;
}

/** Totals by currency (and result), as the receipt has them. */
export function expectTotals(orders: readonly BookOrder[]): { orders: Figures; payments: Figures } {
  const totals = { orders: {} as Figures, payments: {} as Figures };
  const bad = (amount: BookAmount, mayBeAbsent: boolean): boolean =>
    amount === undefined || amount === null
      ? !mayBeAbsent
      : amount instanceof Uncountable || (typeof amount === 'bigint' && amount >= INT64);
  const uncountedRefunds = (refunds: readonly BookRefund[]): number =>
    refunds.filter(({ amount }) => bad(amount, false)).length;
  for (const { currency, total, refunds, payments } of orders) {
    const name = currencyName(currency);
    add(totals.orders, name, {
      objects: 1,
      total: countable(total),
      refunds: refunds.length,
      refundAmount: sumRefunds(refunds),
      net: countable(total) - sumRefunds(refunds),
      uncounted: uncountedRefunds(refunds) + (bad(total, false) ? 1 : 0),
    });
    for (const each of payments) {
      const { amount, tipAmount, taxAmount, result } = each;
      const isUncounted = bad(amount, false) || bad(tipAmount, true) || bad(taxAmount, true);
      const refundAmount = sumRefunds(each.refunds);
      add(totals.payments, `${name} ${result ?? '-'}`, {
        objects: 1,
        amount: countable(amount),
        tipAmount: countable(tipAmount),
        taxAmount: countable(taxAmount),
        refunds: each.refunds.length,
        refundAmount,
        net: (result === 'SUCCESS' ? countable(amount) : 0n) - refundAmount,
        uncounted: uncountedRefunds(each.refunds) + (isUncounted ? 1 : 0),
      });
    }
  }
  return totals;
}

/**
 * Computes the expected rows of the view `daily_totals`: refunds once each, on their own day. Of one that stands in a payment and in
 * its order, the payment's.
 */
export function expectDailyTotals(orders: readonly BookOrder[], zone: string): Figures {
  const days: Figures = {};
  const day = (time: number, currency: BookOrder['currency']): string =>
    `${findBusinessDay(time, { zone, closingHour: 0 })} ${currencyName(currency)}`;
  for (const { createdTime, currency, total, refunds, payments } of orders) {
    add(days, day(createdTime, currency), { orders: 1, order_total: countable(total) });
    for (const payment of payments) {
      if (payment.result === 'SUCCESS')
        add(days, day(payment.createdTime, currency), {
          payments: 1,
          amount: countable(payment.amount),
          tip_amount: countable(payment.tipAmount),
          tax_amount: countable(payment.taxAmount),
        });
      for (const refund of payment.refunds)
        add(days, day(refund.createdTime, currency), {
          refunds: 1,
          refund_amount: countable(refund.amount),
        });
    }
    const inPayments = payments.flatMap((payment) => payment.refunds);
    const isCopy = (refund: BookRefund): boolean =>
      inPayments.some(
        ({ id, amount, createdTime: time }) =>
          (id ?? '') === (refund.id ?? '') &&
          (id || (countable(amount) === countable(refund.amount) && time === refund.createdTime)),
      );
    for (const refund of refunds)
      if (!isCopy(refund))
        add(days, day(refund.createdTime, currency), {
          refunds: 1,
          refund_amount: countable(refund.amount),
        });
  }
  return days;
}
