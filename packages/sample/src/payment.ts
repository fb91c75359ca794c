/** Makes the payments of one generated order. */
import { MINUTE_MS, SECOND_MS, type Payment, type Ref, type Refund } from '@tillroll/contract';
import type { Bill } from './bill.ts';
import type { Visit } from './line-items.ts';
import type { Merchant } from './merchant.ts';
import type { Random } from './prng.ts';
import { closeoutAfter, laterWithin } from './times.ts';

export interface SamplePayment extends Payment {
  order: Ref;
  device: Ref;
  amount: number;
  taxAmount: number;
  offline: boolean;
  cashTendered?: number;
  clientCreatedTime: number;
}

export interface Till {
  merchant: Merchant;
  random: Random;
  nextId: () => string;
  /** Nothing is created at or after this moment. */
  to: number;
}

const CARDS = ['VISA', 'VISA', 'MC', 'MC', 'AMEX', 'DISCOVER'] as const;
const ENTRIES = ['EMV_CONTACT', 'EMV_CONTACTLESS', 'EMV_CONTACTLESS', 'SWIPED'] as const;
const TIP_PERCENT = [10, 15, 18, 18, 20, 20, 22, 25] as const;

/** Cuts `total` into `parts` amounts of at least one cent: even shares, or each their own. */
function shares(total: number, parts: number, random: Random): number[] {
  const amounts: number[] = [];
  const even = random.chance(0.6);
  for (let left = total, rest = parts; rest > 0; rest--) {
    const fair = Math.floor(left / rest);
    const own = even ? fair : Math.max(1, Math.floor(fair * (0.4 + 0.6 * random.next())));
    const amount = rest === 1 ? left : own;
    amounts.push(amount);
    left -= amount;
  }
  return amounts;
}

function choosePartCount({ guests }: Visit, total: number, random: Random): number {
  if (total < 100 || !random.chance(0.07)) return 1;
  return random.int(2, Math.max(2, Math.min(guests, 4)));
}

function payWithCard(payment: SamplePayment, bill: Bill, table: boolean, till: Till): void {
  const { random, merchant } = till;
  const tips = bill.gratuity ? 0.1 : table ? 0.9 : 0.45;
  payment.tipAmount = random.chance(tips)
    ? Math.round((payment.amount * random.pick(TIP_PERCENT)) / 100)
    : 0;
  payment.tender = random.chance(0.7) ? merchant.tenders.credit : merchant.tenders.debit;
  payment.cardTransaction = {
    cardType: random.pick(CARDS),
    entryType: random.pick(ENTRIES),
    last4: String(random.int(0, 9999)).padStart(4, '0'),
    type: 'AUTH',
    authCode: String(random.int(0, 999_999)).padStart(6, '0'),
    referenceId: String(random.int(1, 999_999_999)).padStart(12, '0'),
    state: 'CLOSED',
  };
}

function payInCash(payment: SamplePayment, { merchant }: Till): void {
  payment.tender = merchant.tenders.cash;
  payment.cashTendered = Math.ceil(payment.amount / 500) * 500;
}

function makeRefund(payment: SamplePayment, { random, nextId, to }: Till): Refund {
  const part = random.chance(0.5) ? 1 : 0.1 + 0.8 * random.next();
  return {
    id: nextId(),
    amount: Math.max(1, Math.round(payment.amount * part)),
    taxAmount: Math.round(payment.taxAmount * part),
    createdTime: laterWithin(payment.createdTime, MINUTE_MS, 90 * MINUTE_MS, to, random),
    payment: { id: payment.id },
  };
}

/** The payments of one order: their amounts add up to the bill, and their taxes to its tax. */
export function paymentsFor(
  order: { id: string; createdTime: number; employee: Ref; device: Ref },
  guests: Visit,
  bill: Bill,
  till: Till,
): SamplePayment[] {
  const { merchant, random, nextId, to } = till;
  const table = guests.service === 'table';
  const [soonest, latest] = table ? [45 * MINUTE_MS, 120 * MINUTE_MS] : [2_000, 40_000];
  let createdTime = laterWithin(order.createdTime, soonest, latest, to, random);
  // An order still precedes its payment when the span leaves little time.
  createdTime = Math.max(createdTime, bill.lines.at(-1)?.createdTime ?? createdTime);
  const amounts = shares(bill.total, choosePartCount(guests, bill.total, random), random);
  const payments: SamplePayment[] = [];
  let paid = 0;
  let taxed = 0;
  for (const amount of amounts) {
    if (paid > 0) createdTime = laterWithin(createdTime, 5 * SECOND_MS, 45 * SECOND_MS, to, random);
    paid += amount;
    // Rounding the running sum, not each share, keeps the taxes exact to the cent.
    const taxAmount = Math.round((bill.tax * paid) / bill.total) - taxed;
    taxed += taxAmount;
    const payment: SamplePayment = {
      id: nextId(),
      order: { id: order.id },
      device: order.device,
      employee: order.employee,
      currency: merchant.currency,
      amount,
      taxAmount,
      taxRates: { elements: [{ ...merchant.taxRate, taxAmount }] },
      createdTime,
      clientCreatedTime: createdTime,
      modifiedTime: closeoutAfter(createdTime),
      offline: false,
      result: 'SUCCESS',
    };
    if (random.chance(table ? 0.12 : 0.25)) payInCash(payment, till);
    else payWithCard(payment, bill, table, till);
    if (random.chance(0.015)) payment.refunds = { elements: [makeRefund(payment, till)] };
    payments.push(payment);
  }
  return payments;
}
