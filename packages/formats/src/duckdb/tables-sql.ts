/** The SQL that creates and fills the tables of the DuckDB file. */
import { CURRENCIES_BY_DIGITS, type ExportType } from '@tillroll/contract';
import { quote } from '../quote.ts';
import { OTHER, TABLES, listColumns, type TableName } from '../tables.ts';
import type { Table } from '../table-types.ts';

/** `CREATE TABLE` and its comments. */
export function tableStatements(table: Table): string[] {
  const { name: title, comment, primaryKey } = table;
  const required = new Set([...primaryKey, ...(table.keys.length === 0 ? ['created_time'] : [])]);
  const columns = listColumns(table);
  const lines = columns.map(
    (column) => `${column.name} ${column.type}${required.has(column.name) ? ' NOT NULL' : ''}`,
  );
  lines.push(`${OTHER} JSON`);
  lines.push(`PRIMARY KEY (${primaryKey.join(', ')})`);
  return [
    `CREATE TABLE ${title} (${lines.join(', ')})`,
    `COMMENT ON TABLE ${title} IS ${quote(comment)}`,
    ...columns.map(
      ({ name: column, from, unit }) =>
        `COMMENT ON COLUMN ${title}.${column} IS ${quote(unit === '' ? from : `${from}; ${unit}`)}`,
    ),
    `COMMENT ON COLUMN ${title}.${OTHER} IS 'JSON object of the members that no column holds'`,
  ];
}

/** The columns of a table that are members of `item`, in their order. */
function list(table: TableName, item: string): string {
  const columns = TABLES.find((each) => each.name === table)?.columns ?? [];
  return [...columns.map(({ name }) => name), OTHER].map((name) => `${item}.${name}`).join(', ');
}

const DISCOUNTS = `list_concat(
  list_transform(discounts, lambda d: struct_pack(
    line_item_id := NULL::VARCHAR, line_item_position := NULL::BIGINT, d := d)),
  flatten(${inLineItems('discounts')}))`;

/** For each line item the list of its own rows, `d`, with its id and its place. */
function inLineItems(name: string): string {
  return `list_transform(line_items, lambda l, i: list_transform(l.${name}, lambda d:
    struct_pack(line_item_id := l.id, line_item_position := i, d := d)))`;
}

/** Nested lists become rows of their own, numbered from 1 in the order that they came in. */
function unnested(key: string, items: string, columns: string): string {
  return `SELECT ${key}, position, ${columns} FROM (SELECT id AS ${key}, unnest(items) AS x,
    generate_subscripts(items, 1) AS position FROM (SELECT id, ${items} AS items FROM objects))`;
}

/** Statements that fill the tables from the view `objects`, which has what `selectObjects` gives. */
export const INSERTS: Record<ExportType, readonly string[]> = {
  ORDERS: [
    `INSERT INTO orders SELECT ${list('orders', 'objects')} FROM objects`,
    `INSERT INTO line_items ${unnested('order_id', 'line_items', list('line_items', 'x'))}`,
    `INSERT INTO order_discounts ${unnested(
      'order_id',
      DISCOUNTS,
      `x.line_item_id, x.line_item_position, ${list('order_discounts', 'x.d')}`,
    )}`,
    `INSERT INTO line_item_modifications ${unnested(
      'order_id',
      `flatten(${inLineItems('modifications')})`,
      `x.line_item_id, x.line_item_position, ${list('line_item_modifications', 'x.d')}`,
    )}`,
    `INSERT INTO order_payments ${unnested('order_id', 'payments', list('order_payments', 'x'))}`,
    `INSERT INTO order_refunds ${unnested('order_id', 'refunds', list('order_refunds', 'x'))}`,
  ],
  PAYMENTS: [
    `INSERT INTO payments SELECT ${list('payments', 'objects')} FROM objects`,
    `INSERT INTO payment_tax_rates ${unnested(
      'payment_id',
      'tax_rates',
      list('payment_tax_rates', 'x'),
    )}`,
    `INSERT INTO payment_refunds SELECT payment_id, position, order_id, ${list('payment_refunds', 'x')}
      FROM (SELECT id AS payment_id, order_id, unnest(refunds) AS x,
        generate_subscripts(refunds, 1) AS position FROM objects)`,
  ],
};

/**
 * A refund of an order, `r`, that stands in a payment, too. Ids may be empty or absent, and two orders may have the same:
 * so it must be of the same order or payment, and without an id of the same amount and time.
 */
const isCopy = (owner: 'order_id' | 'payment_id'): string => `EXISTS (
  SELECT 1 FROM payment_refunds p WHERE p.${owner} = r.${owner} AND coalesce(p.id, '') = coalesce(r.id, '')
  AND (r.id <> '' OR p.amount IS NOT DISTINCT FROM r.amount AND p.created_time IS NOT DISTINCT FROM r.created_time))`;

/** All refunds. Of one that stands in a payment and in its order, the payment's copy. */
export const REFUNDS = `CREATE VIEW refunds AS
SELECT 'payment' AS source, order_id, payment_id, id, amount, tax_amount, created_time, ${OTHER}
FROM payment_refunds
UNION ALL
SELECT 'order', order_id, payment_id, id, amount, tax_amount, created_time, ${OTHER}
FROM order_refunds r WHERE NOT ${isCopy('order_id')} AND NOT ${isCopy('payment_id')}`;

/** Sums by day. @param timezone IANA name: of the days. */
export function dailyTotals(timezone: string): string {
  const day = (time: string): string => `(${time} AT TIME ZONE ${quote(timezone)})::DATE`;
  return `CREATE VIEW daily_totals AS
WITH part AS (
  SELECT ${day('created_time')} AS day, currency, 1 AS orders, total AS order_total,
    0 AS payments, 0 AS amount, 0 AS tip_amount, 0 AS tax_amount, 0 AS refunds, 0 AS refund_amount
  FROM orders
  UNION ALL
  SELECT ${day('created_time')}, currency, 0, 0, 1, amount, tip_amount, tax_amount, 0, 0
  FROM payments WHERE result = 'SUCCESS'
  UNION ALL
  SELECT ${day('r.created_time')}, coalesce(p.currency, o.currency), 0, 0, 0, 0, 0, 0, 1, r.amount
  FROM refunds r LEFT JOIN payments p ON p.id = r.payment_id LEFT JOIN orders o ON o.id = r.order_id
)
SELECT day, currency, sum(orders)::BIGINT AS orders, coalesce(sum(order_total), 0)::HUGEINT AS order_total,
  sum(payments)::BIGINT AS payments, coalesce(sum(amount), 0)::HUGEINT AS amount,
  coalesce(sum(tip_amount), 0)::HUGEINT AS tip_amount, coalesce(sum(tax_amount), 0)::HUGEINT AS tax_amount,
  sum(refunds)::BIGINT AS refunds, coalesce(sum(refund_amount), 0)::HUGEINT AS refund_amount
FROM part GROUP BY ALL ORDER BY ALL`;
}

/**
 * `major_units(amount, currency)`: 1250 of USD is 12.5000, exact; null where ISO 4217 has no minor unit for
 * the currency. DuckDB would divide as DOUBLE, so this multiplies.
 */
export function majorUnits(): string {
  const cases = [...CURRENCIES_BY_DIGITS].map(
    ([digits, codes]) =>
      `WHEN currency IN (${codes.map(quote).join(', ')}) THEN ${(10 ** -digits).toFixed(4)}`,
  );
  return `CREATE MACRO major_units(amount, currency) AS
  amount::DECIMAL(33, 0) * CAST(CASE ${cases.join(' ')} END AS DECIMAL(5, 4))`;
}
