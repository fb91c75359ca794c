/**
 * Defines the tables and their columns once: the reader of JSON, the headers of CSV, the schema of Parquet
 * and DuckDB, and the tables in docs/formats.md are all derived from this file.
 */

import type { ExportType } from '@tillroll/contract';
import type { Column, List, Parent, Rows, Table } from './table-types.ts';

/** The last column of every table, of type JSON: members that no column holds. */
export const OTHER = 'other';

const text = (name: string, from = name, unit = ''): Column => ({
  name,
  type: 'VARCHAR',
  from,
  unit,
});
const integer = (name: string, from: string, unit: string): Column => ({
  name,
  type: 'BIGINT',
  from,
  unit,
});
const money = (name: string, from = name) => integer(name, from, 'minor units');
const flag = (name: string, from = name): Column => ({ name, type: 'BOOLEAN', from, unit: '' });
const time = (name: string, from: string): Column => ({
  name,
  type: 'TIMESTAMPTZ',
  from,
  unit: 'UTC',
});
const rows = (
  columns: readonly Column[],
  lists: readonly List[] = [],
  parents: readonly Parent[] = [],
): Rows => ({ columns, lists, parents });

const refersTo = (from: string, level = 0): Parent => ({ from, level });

const DISCOUNT = [
  text('id'),
  text('name'),
  integer('amount', 'amount', 'minor units, negative'),
  integer('percentage', 'percentage', 'per cent'),
];
const ORDER_DISCOUNT = rows(DISCOUNT, [], [refersTo('orderRef.id')]);
const LINE_ITEM_DISCOUNT = rows(DISCOUNT, [], [refersTo('lineItemRef.id', 1)]);

const MODIFICATION = rows(
  [
    text('id'),
    text('modifier_id', 'modifier.id'),
    text('name'),
    text('alternate_name', 'alternateName'),
    integer('amount', 'amount', 'minor units, for one unit; not in the price of the line item'),
  ],
  [],
  [refersTo('lineItemRef.id', 1)],
);

const LINE_ITEM = rows(
  [
    text('id'),
    text('item_id', 'item.id'),
    text('name'),
    integer('price', 'price', 'minor units, for one unit'),
    integer('unit_qty', 'unitQty', 'thousandths of a unit'),
    text('unit_name', 'unitName'),
    text('note'),
    flag('is_order_fee', 'isOrderFee'),
    flag('refunded'),
    flag('is_revenue', 'isRevenue'),
    time('created_time', 'createdTime'),
  ],
  [
    { from: 'discounts', name: 'discounts', rows: LINE_ITEM_DISCOUNT },
    { from: 'modifications', name: 'modifications', rows: MODIFICATION },
  ],
  [refersTo('orderRef.id')],
);

const ORDER_PAYMENT = rows(
  [
    text('id'),
    money('amount'),
    integer('tip_amount', 'tipAmount', 'minor units; null for cash, 0 when declined'),
    money('tax_amount', 'taxAmount'),
    text('result'),
    time('created_time', 'createdTime'),
    time('modified_time', 'modifiedTime'),
  ],
  [],
  [refersTo('order.id')],
);

const REFUND = [
  text('id'),
  money('amount'),
  money('tax_amount', 'taxAmount'),
  time('created_time', 'createdTime'),
];
const ORDER_REFUND = rows(
  [...REFUND, text('payment_id', 'payment.id')],
  [],
  [refersTo('orderRef.id')],
);
const PAYMENT_REFUND = rows(REFUND, [], [refersTo('payment.id')]);

const TAX_RATE = rows([
  text('id'),
  text('name'),
  integer('rate', 'rate', '100 % = 10,000,000'),
  money('tax_amount', 'taxAmount'),
]);

const ORDER = rows(
  [
    text('id'),
    text('currency'),
    text('employee_id', 'employee.id'),
    text('device_id', 'device.id'),
    text('order_type_id', 'orderType.id'),
    text('order_type_label', 'orderType.label'),
    text('title'),
    text('note'),
    integer('total', 'total', 'minor units, without tips'),
    text('state'),
    text('payment_state', 'paymentState'),
    text('pay_type', 'payType'),
    flag('tax_removed', 'taxRemoved'),
    flag('is_vat', 'isVat'),
    flag('manual_transaction', 'manualTransaction'),
    flag('group_line_items', 'groupLineItems'),
    flag('test_mode', 'testMode'),
    time('created_time', 'createdTime'),
    time('modified_time', 'modifiedTime'),
  ],
  [
    { from: 'lineItems', name: 'line_items', rows: LINE_ITEM },
    { from: 'discounts', name: 'discounts', rows: ORDER_DISCOUNT },
    { from: 'payments', name: 'payments', rows: ORDER_PAYMENT },
    { from: 'refunds', name: 'refunds', rows: ORDER_REFUND },
  ],
);

const PAYMENT = rows(
  [
    text('id'),
    text('order_id', 'order.id'),
    text('employee_id', 'employee.id'),
    text('device_id', 'device.id'),
    text('tender_id', 'tender.id'),
    text('tender_label', 'tender.label'),
    text('tender_label_key', 'tender.labelKey'),
    text('currency'),
    integer('amount', 'amount', 'minor units, without tip'),
    integer('tip_amount', 'tipAmount', 'minor units; null for cash, 0 when declined'),
    money('tax_amount', 'taxAmount'),
    money('cash_tendered', 'cashTendered'),
    text('result'),
    flag('offline'),
    text('card_type', 'cardTransaction.cardType'),
    text('card_entry_type', 'cardTransaction.entryType'),
    text('card_last4', 'cardTransaction.last4'),
    text('card_transaction_type', 'cardTransaction.type'),
    text('card_auth_code', 'cardTransaction.authCode'),
    text('card_reference_id', 'cardTransaction.referenceId'),
    text('card_state', 'cardTransaction.state'),
    time('created_time', 'createdTime'),
    time('client_created_time', 'clientCreatedTime'),
    time('modified_time', 'modifiedTime'),
  ],
  [
    { from: 'taxRates', name: 'tax_rates', rows: TAX_RATE },
    { from: 'refunds', name: 'refunds', rows: PAYMENT_REFUND },
  ],
);

/** The rows of one object of a type. */
export const ROWS: Record<ExportType, Rows> = { ORDERS: ORDER, PAYMENTS: PAYMENT };

const orderKeys = [
  text('order_id', 'the order'),
  integer('position', 'place in the list', 'from 1'),
];

export const TABLES = [
  {
    name: 'orders',
    comment: 'One row per order',
    keys: [],
    columns: ORDER.columns,
    primaryKey: ['id'],
  },
  {
    name: 'line_items',
    comment: "One row per line item (the order's lineItems)",
    keys: orderKeys,
    columns: LINE_ITEM.columns,
    primaryKey: ['order_id', 'position'],
  },
  {
    name: 'order_discounts',
    comment: 'Discounts of whole orders first, then those of their line items',
    keys: [
      ...orderKeys,
      text('line_item_id', 'the line item', 'null: of the whole order'),
      integer('line_item_position', "the line item's place", 'null: of the whole order'),
    ],
    columns: DISCOUNT,
    primaryKey: ['order_id', 'position'],
  },
  {
    name: 'line_item_modifications',
    comment: 'Choices that change an item, such as extra cheese',
    keys: [
      ...orderKeys,
      text('line_item_id', 'the line item'),
      integer('line_item_position', "the line item's place", 'from 1'),
    ],
    columns: MODIFICATION.columns,
    primaryKey: ['order_id', 'position'],
  },
  {
    name: 'order_payments',
    comment: 'Payments as their order lists them, with fewer columns than the table payments',
    keys: orderKeys,
    columns: ORDER_PAYMENT.columns,
    primaryKey: ['order_id', 'position'],
  },
  {
    name: 'payments',
    comment: 'One row per payment',
    keys: [],
    columns: PAYMENT.columns,
    primaryKey: ['id'],
  },
  {
    name: 'payment_tax_rates',
    comment: 'Taxes of a payment',
    keys: [text('payment_id', 'the payment'), integer('position', 'place in the list', 'from 1')],
    columns: TAX_RATE.columns,
    primaryKey: ['payment_id', 'position'],
  },
  {
    name: 'order_refunds',
    comment: 'Refunds as their order lists them',
    keys: orderKeys,
    columns: ORDER_REFUND.columns,
    primaryKey: ['order_id', 'position'],
  },
  {
    name: 'payment_refunds',
    comment: 'Refunds as their payment lists them',
    keys: [
      text('payment_id', 'the payment'),
      integer('position', 'place in the list', 'from 1'),
      text('order_id', "the payment's order"),
    ],
    columns: PAYMENT_REFUND.columns,
    primaryKey: ['payment_id', 'position'],
  },
] as const satisfies readonly Table[];
export type TableName = (typeof TABLES)[number]['name'];

/** Every column of a table in its order, without `other`. */
export function listColumns(table: Table): Column[] {
  return [...table.keys, ...table.columns];
}
