import type { ExportType } from './wire.ts';

/**
 * The members of orders and payments that the service, the client or a format reads, and how each must
 * be written so that all of them read it alike. Loading refuses what is written otherwise.
 *
 * - `id`: a string.
 * - `text`: a string, when it is one, without half of a surrogate pair. A value of another type is
 *   kept beside the columns, as it came.
 * - `flag`: true or false; a value of another type is kept beside the columns, as it came.
 * - `integer`: a number written as plain digits, from -(2^53 - 1) to 2^53 - 1. Money and quantities.
 * - `time`: epoch milliseconds, written as plain digits.
 * - `ratio`: any value. Nothing is summed from it; what is not an integer is kept beside the columns.
 *
 * An object holds further members; `elements` is a collection of objects, `{"elements":[...]}`. Each
 * may be null or absent, and none may stand twice in its object.
 */
export type MemberKind = 'id' | 'text' | 'flag' | 'integer' | 'time' | 'ratio';
export type Member = MemberKind | { readonly object: Members } | { readonly elements: Members };
export interface Members {
  readonly [name: string]: Member;
}

const REF: Member = { object: { id: 'id' } };
const REFUND: Members = { id: 'id', amount: 'integer', taxAmount: 'integer', createdTime: 'time' };
const DISCOUNT: Members = { id: 'id', name: 'text', amount: 'integer', percentage: 'ratio' };

const ORDER: Members = {
  id: 'id',
  currency: 'text',
  employee: REF,
  device: REF,
  orderType: { object: { id: 'id', label: 'text' } },
  title: 'text',
  note: 'text',
  total: 'integer',
  state: 'text',
  paymentState: 'text',
  payType: 'text',
  taxRemoved: 'flag',
  isVat: 'flag',
  manualTransaction: 'flag',
  groupLineItems: 'flag',
  testMode: 'flag',
  createdTime: 'time',
  modifiedTime: 'time',
  lineItems: {
    elements: {
      id: 'id',
      item: REF,
      name: 'text',
      price: 'integer',
      unitQty: 'integer',
      unitName: 'text',
      note: 'text',
      isOrderFee: 'flag',
      refunded: 'flag',
      isRevenue: 'flag',
      createdTime: 'time',
      discounts: { elements: { ...DISCOUNT, lineItemRef: REF } },
      modifications: {
        elements: {
          id: 'id',
          modifier: REF,
          name: 'text',
          alternateName: 'text',
          amount: 'integer',
          lineItemRef: REF,
        },
      },
      orderRef: REF,
    },
  },
  discounts: { elements: { ...DISCOUNT, orderRef: REF } },
  payments: {
    elements: {
      id: 'id',
      amount: 'integer',
      tipAmount: 'integer',
      taxAmount: 'integer',
      result: 'text',
      createdTime: 'time',
      modifiedTime: 'time',
      order: REF,
    },
  },
  refunds: { elements: { ...REFUND, payment: REF, orderRef: REF } },
};

const PAYMENT: Members = {
  id: 'id',
  order: REF,
  employee: REF,
  device: REF,
  tender: { object: { id: 'id', label: 'text', labelKey: 'text' } },
  currency: 'text',
  amount: 'integer',
  tipAmount: 'integer',
  taxAmount: 'integer',
  cashTendered: 'integer',
  result: 'text',
  offline: 'flag',
  cardTransaction: {
    object: {
      cardType: 'text',
      entryType: 'text',
      last4: 'text',
      type: 'text',
      authCode: 'text',
      referenceId: 'text',
      state: 'text',
    },
  },
  createdTime: 'time',
  clientCreatedTime: 'time',
  modifiedTime: 'time',
  taxRates: { elements: { id: 'id', name: 'text', rate: 'ratio', taxAmount: 'integer' } },
  refunds: { elements: { ...REFUND, payment: REF } },
};

export const MEMBERS: Readonly<Record<ExportType, Members>> = { ORDERS: ORDER, PAYMENTS: PAYMENT };
