import { expect, expectTypeOf, test } from 'vitest';
import { MEMBERS, type Member, type Members } from '../src/members.ts';
import type {
  CardTransaction,
  Discount,
  LineItem,
  Modification,
  Order,
  Payment,
  Ref,
  Refund,
  TaxRate,
} from '../src/objects.ts';

/** The members that a type names, without those that may come besides. */
type Named<T> = keyof { [K in keyof T as string extends K ? never : K]: true };
/** All of them: one that is missing here, or is none, does not compile. */
function named<T>(members: Record<Named<T>, true>): string[] {
  return Object.keys(members).toSorted();
}

const REF = named<Ref>({ id: true });
const DISCOUNT = named<Discount>({
  id: true,
  name: true,
  amount: true,
  percentage: true,
  orderRef: true,
  lineItemRef: true,
});
const PAYMENT = named<Payment>({
  id: true,
  createdTime: true,
  clientCreatedTime: true,
  modifiedTime: true,
  currency: true,
  amount: true,
  tipAmount: true,
  taxAmount: true,
  cashTendered: true,
  result: true,
  offline: true,
  order: true,
  employee: true,
  device: true,
  tender: true,
  cardTransaction: true,
  taxRates: true,
  refunds: true,
});

const NESTED: Record<string, string[]> = {
  orderType: named<NonNullable<Order['orderType']>>({ id: true, label: true }),
  lineItems: named<LineItem>({
    id: true,
    item: true,
    name: true,
    price: true,
    unitQty: true,
    unitName: true,
    note: true,
    isOrderFee: true,
    refunded: true,
    isRevenue: true,
    createdTime: true,
    discounts: true,
    modifications: true,
    orderRef: true,
  }),
  modifications: named<Modification>({
    id: true,
    modifier: true,
    name: true,
    alternateName: true,
    amount: true,
    lineItemRef: true,
  }),
  discounts: DISCOUNT,
  refunds: named<Refund>({
    id: true,
    amount: true,
    taxAmount: true,
    createdTime: true,
    payment: true,
    orderRef: true,
  }),
  payments: PAYMENT,
  tender: named<NonNullable<Payment['tender']>>({ id: true, label: true, labelKey: true }),
  cardTransaction: named<CardTransaction>({
    cardType: true,
    entryType: true,
    last4: true,
    type: true,
    authCode: true,
    referenceId: true,
    state: true,
  }),
  taxRates: named<TaxRate>({ id: true, name: true, rate: true, taxAmount: true }),
};

const findInner = (member: Member): Members | undefined =>
  typeof member === 'string' ? undefined : 'object' in member ? member.object : member.elements;

/** Every member that loading checks is one of its type. */
function expectNamed(members: Members, names: readonly string[]): void {
  for (const [name, member] of Object.entries(members)) {
    expect(names).toContain(name);
    const inner = findInner(member);
    if (inner) expectNamed(inner, NESTED[name] ?? REF);
  }
}

test('the types name every member that is read', () => {
  expectNamed(
    MEMBERS.ORDERS,
    named<Order>({
      id: true,
      createdTime: true,
      modifiedTime: true,
      currency: true,
      total: true,
      state: true,
      paymentState: true,
      payType: true,
      title: true,
      note: true,
      employee: true,
      device: true,
      orderType: true,
      taxRemoved: true,
      isVat: true,
      manualTransaction: true,
      groupLineItems: true,
      testMode: true,
      lineItems: true,
      discounts: true,
      payments: true,
      refunds: true,
    }),
  );
  expectNamed(MEMBERS.PAYMENTS, PAYMENT);
});

test('other members may be read without a cast', () => {
  expectTypeOf<Order['serviceCharge']>().toEqualTypeOf<unknown>();
  expectTypeOf<LineItem['exchanged']>().toEqualTypeOf<unknown>();
});
