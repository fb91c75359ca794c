/** Makes one generated order. */
import type { Order, Payment, Ref, Refund } from '@tillroll/contract';
import type { Bill } from './bill.ts';
import type { Visit } from './line-items.ts';
import { ORDER_NOTES } from './menu.ts';
import type { SamplePayment, Till } from './payment.ts';

export interface SampleOrder extends Order {
  device: Ref;
  orderType: Ref & { label: string };
  payType: 'FULL' | 'SPLIT_CUSTOM';
  taxRemoved: boolean;
  isVat: boolean;
  manualTransaction: boolean;
  groupLineItems: boolean;
  testMode: boolean;
}

/** Mostly locked; null is an order that its till never showed in a list. */
function chooseState({ random }: Till): NonNullable<Order['state']> | null {
  if (random.chance(0.94)) return 'locked';
  return random.chance(0.75) ? 'open' : null;
}

/** A payment as it stands inside its order: what a reader of the order needs to add up. */
function insideOrder(payment: SamplePayment): Payment {
  const { id, amount, tipAmount, taxAmount, createdTime, modifiedTime, result } = payment;
  const inside: Payment = {
    id,
    amount,
    taxAmount,
    createdTime,
    modifiedTime,
    result: result as string,
  };
  if (tipAmount !== undefined) inside.tipAmount = tipAmount;
  return inside;
}

/** The order as it is once everything about it has happened; a refund leaves `paymentState` alone. */
export function orderFrom(
  head: { id: string; createdTime: number; employee: Ref; device: Ref },
  guests: Visit,
  bill: Bill,
  payments: readonly SamplePayment[],
  till: Till,
): SampleOrder {
  const { merchant, random } = till;
  const refunds: Refund[] = payments.flatMap((payment) => payment.refunds?.elements ?? []);
  const happened = [...payments, ...refunds].map((event) => event.createdTime ?? 0);
  const order: SampleOrder = {
    id: head.id,
    currency: merchant.currency,
    employee: head.employee,
    device: head.device,
    orderType: merchant.orderTypes[guests.service],
    total: bill.total,
    state: chooseState(till),
    paymentState: 'PAID',
    payType: payments.length > 1 ? 'SPLIT_CUSTOM' : 'FULL',
    taxRemoved: false,
    isVat: false,
    manualTransaction: false,
    groupLineItems: true,
    testMode: false,
    createdTime: head.createdTime,
    modifiedTime: Math.max(head.createdTime, ...happened),
    lineItems: { elements: bill.lines },
    payments: { elements: payments.map(insideOrder) },
  };
  if (guests.service === 'table') order.title = `Table ${random.int(1, merchant.tables)}`;
  if (random.chance(0.05)) order.note = random.pick(ORDER_NOTES);
  if (bill.discounts.length > 0) order.discounts = { elements: bill.discounts };
  if (refunds.length > 0) order.refunds = { elements: refunds };
  return order;
}
