import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { resolveColumns } from '../src/columns.ts';
import { convert } from '../src/index.ts';
import { quotePattern } from '../src/quote.ts';
import { listColumns, TABLES } from '../src/tables.ts';
import { makeConversion, query, findRange, temporary } from './formats-fixture.ts';
import { ORDER_WITH_MODIFICATIONS, SAMPLE_ORDERS, SAMPLE_PAYMENTS } from './formats-sample.ts';

test('a column without a table is one of orders and payments', () => {
  expect(resolveColumns('csv', ['id', ' total', 'amount', 'created_time'])).toEqual([
    'orders.id',
    'payments.id',
    'orders.total',
    'payments.amount',
    'orders.created_time',
    'payments.created_time',
  ]);
  expect(resolveColumns('csv', ['line_items.order_id', 'orders.other'])).toEqual([
    'line_items.order_id',
    'orders.other',
  ]);
});

test('a star is every column of a table', () => {
  for (const table of TABLES)
    expect(resolveColumns('csv', [`${table.name}.*`])).toEqual(
      [...listColumns(table).map(({ name }) => name), 'other'].map(
        (name) => `${table.name}.${name}`,
      ),
    );
  expect(resolveColumns('parquet', ['payments.*']).slice(-3)).toEqual([
    'payments.tax_rates',
    'payments.refunds',
    'payments.other',
  ]);
});

test.each([
  ['csv', ['createdTime'], /must name columns; got "createdTime"/, 'Write created_time'],
  ['csv', ['orders.employee.id'], /"orders.employee.id"/, 'Write orders.employee_id'],
  ['csv', ['employee.id'], /"employee.id"/, 'Write employee_id'],
  ['csv', ['orders.nothing'], /"orders.nothing"/, /Its columns: id, currency, .*, other/],
  ['csv', ['nothing.id'], /"nothing.id"/, /Tables: orders, line_items, .*payment_refunds/],
  ['csv', [''], /""/, /table.column/],
  ['csv', [], /got none/, undefined],
  ['csv', ['*'], /"\*"/, /table.column/],
  ['csv', ['id', 'orders.id'], /orders.id twice/, undefined],
  ['csv', ['orders.line_items'], /"orders.line_items"/, /Its columns/],
  ['csv', ['__proto__'], /"__proto__"/, /table.column/],
  ['parquet', ['line_items.name'], /"line_items.name"/, /Tables: orders, payments;/],
] as const)('%s: %o is refused', (format, columns, message, hint) => {
  try {
    resolveColumns(format, columns);
  } catch (error) {
    expect(error).toMatchObject({ code: 'USAGE', option: 'columns' });
    expect((error as Error).message).toMatch(message);
    const given = (error as { hint?: string }).hint;
    if (hint instanceof RegExp) expect(given).toMatch(hint);
    else expect(given).toBe(hint);
    return;
  }
  expect.unreachable();
});

test('CSV has the chosen columns in their order, and no other file', async () => {
  await using folder = await temporary();
  const months = [
    await findRange(folder.path, 'ORDERS', [
      ...SAMPLE_ORDERS.slice(0, 1),
      ORDER_WITH_MODIFICATIONS,
    ]),
    await findRange(folder.path, 'PAYMENTS', SAMPLE_PAYMENTS.slice(0, 1)),
  ];
  const columns = resolveColumns('csv', [
    'orders.total',
    'orders.id',
    'line_item_modifications.name',
    'line_item_modifications.position',
    'payments.id',
  ]);
  const made = await convert('csv', makeConversion(folder.path, months, { columns, csvBom: true }));
  expect(made).toEqual([
    { path: 'orders/2026-01.csv', table: 'orders', rows: 2 },
    {
      path: 'line_item_modifications/2026-01.csv',
      table: 'line_item_modifications',
      rows: 3,
    },
    { path: 'payments/2026-01.csv', table: 'payments', rows: 1 },
  ]);
  const read = (path: string) => readFile(join(folder.path, path), 'utf8');
  expect(await read('orders/2026-01.csv')).toBe(
    '\uFEFFtotal,id\r\n460,29Y59AP6BBVWT\r\n,5Q1J0F7XKHTQ2\r\n',
  );
  expect(await read('line_item_modifications/2026-01.csv')).toBe(
    '\uFEFFname,position\r\nExtra shot,1\r\nOat milk,2\r\n,3\r\n',
  );
  expect(await read('payments/2026-01.csv')).toBe('\uFEFFid\r\nE9E1PRZ524HRE\r\n');
});

test('Parquet has the chosen columns and lists in their order', async () => {
  await using folder = await temporary();
  const months = [
    await findRange(folder.path, 'ORDERS', [ORDER_WITH_MODIFICATIONS]),
    await findRange(folder.path, 'PAYMENTS', SAMPLE_PAYMENTS),
  ];
  const columns = resolveColumns('parquet', ['orders.line_items', 'orders.id', 'payments.amount']);
  await convert('parquet', makeConversion(folder.path, months, { columns }));
  const path = (name: string) =>
    `read_parquet(${quotePattern(join(folder.path, name))}, hive_partitioning = false)`;
  const names = async (name: string) =>
    (await query(':memory:', `DESCRIBE FROM ${path(name)}`)).map(({ column_name }) => column_name);
  expect(await names('orders/2026-01.parquet')).toEqual(['line_items', 'id']);
  expect(await names('payments/2026-01.parquet')).toEqual(['amount']);
  expect(
    await query(
      ':memory:',
      `SELECT len(line_items[1].modifications) AS n FROM ${path('orders/2026-01.parquet')}`,
    ),
  ).toEqual([{ n: '2' }]);
});
