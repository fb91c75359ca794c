import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { convert } from '../src/index.ts';
import { listColumns, TABLES } from '../src/tables.ts';
import { ORDER, PAYMENT, readTables } from './both-formats.ts';
import {
  bothTables,
  makeConversion,
  query,
  findRange,
  type Tables,
  temporary,
} from './formats-fixture.ts';
import { ORDER_WITH_MODIFICATIONS, SAMPLE_ORDERS, SAMPLE_PAYMENTS } from './formats-sample.ts';

test('nothing gives headers alone', async () => {
  const tables = await readTables([]);
  expect(Object.keys(tables)).toEqual(TABLES.map(({ name }) => name));
  expect(Object.values(tables).flat()).toEqual([]);
});

test('all that generated trade has finds a column', async () => {
  const tables = await readTables(
    SAMPLE_ORDERS,
    SAMPLE_PAYMENTS.map((line) => JSON.parse(line) as object),
  );
  expect(
    Object.values(tables)
      .flat()
      .every(({ other }) => other === null),
  ).toBe(true);
  expect(tables.orders?.length).toBe(SAMPLE_ORDERS.length);
  expect(tables.payments?.length).toBe(SAMPLE_PAYMENTS.length);
  // Every column holds something somewhere: its path is not misspelt.
  for (const table of TABLES) {
    if (table.name === 'line_item_modifications') continue;
    for (const { name } of listColumns(table)) {
      expect([name, tables[table.name]?.some((row) => row[name] !== null)]).toEqual([name, true]);
    }
  }
});

test('modifications are rows, numbered through their order', async () => {
  const tables = await readTables([ORDER_WITH_MODIFICATIONS]);
  const item = { order_id: '5Q1J0F7XKHTQ2', other: null };
  const first = { ...item, line_item_id: '39VQ6TPMZ4KQW', line_item_position: '1' };
  const none = { modifier_id: null, alternate_name: null };
  expect(tables.line_item_modifications).toEqual([
    {
      ...first,
      position: '1',
      id: '9TMS0Q8GBKH8T',
      modifier_id: 'B0WYH7Y2KYYG2',
      name: 'Extra shot',
      alternate_name: 'xs',
      amount: '75',
    },
    { ...first, ...none, position: '2', id: '9TMS0Q8GBKH8V', name: 'Oat milk', amount: null },
    {
      ...item,
      ...none,
      line_item_id: '447B4D6QZMT4J',
      line_item_position: '2',
      position: '3',
      id: '9TMS0Q8GBKH8W',
      name: null,
      amount: '60',
      // It names another line than the one that it stands in.
      other: '{"lineItemRef":{"id":"39VQ6TPMZ4KQW"}}',
    },
  ]);
  expect(tables.order_discounts).toMatchObject([
    { id: 'E4SYX', line_item_position: '1', other: null },
  ]);
});

test('every refund is in the table of its list; the view has each once, from the payment', async () => {
  const refund = { id: 'R1', amount: 5, payment: { id: 'P1' } };
  const order = {
    ...ORDER,
    refunds: {
      elements: [
        { ...refund, amount: 4 },
        { id: 'R2', amount: 1, payment: { id: 'P9' } },
      ],
    },
  };
  // Two without an id, and one id twice: no money is left out.
  const elements = [refund, { amount: 7 }, { amount: 8 }, { ...refund, amount: 9 }];
  const payment = { ...PAYMENT, order: { id: 'O1' }, refunds: { elements } };
  const tables = await readTables([order], [payment]);
  const amounts = (rows: Tables[string] = []): (string | null | undefined)[] =>
    rows.map(({ amount }) => amount);
  expect(amounts(tables['order_refunds'])).toEqual(['4', '1']);
  expect(amounts(tables['payment_refunds'])).toEqual(['5', '7', '8', '9']);

  await using folder = await temporary();
  const months = [
    await findRange(folder.path, 'ORDERS', [order]),
    await findRange(folder.path, 'PAYMENTS', [payment]),
  ];
  await convert('duckdb', makeConversion(folder.path, months));
  const sql = 'SELECT source, id, amount::VARCHAR AS amount FROM refunds ORDER BY amount';
  expect(await query(join(folder.path, 'sales.duckdb'), sql)).toEqual([
    { source: 'order', id: 'R2', amount: '1' },
    { source: 'payment', id: 'R1', amount: '5' },
    { source: 'payment', id: null, amount: '7' },
    { source: 'payment', id: null, amount: '8' },
    { source: 'payment', id: 'R1', amount: '9' },
  ]);
});

test('gzip of several members, several ranges, in their order', async () => {
  await using folder = await temporary();
  const ids = ['b', 'a', 'c', 'B'];
  const ranges = [
    await findRange(
      folder.path,
      'ORDERS',
      ids.map((id) => ({ ...ORDER, id, y: 1 })),
      { gzip: true },
    ),
    await findRange(folder.path, 'ORDERS', [{ ...ORDER, id: 'A' }], {
      month: '2026-02',
      gzip: true,
    }),
    await findRange(folder.path, 'ORDERS', [], { month: '2026-03', gzip: true }),
  ];
  const { csv, duckdb } = await bothTables(folder.path, ranges);
  expect(duckdb).toEqual(csv);
  expect(csv.orders?.map(({ id }) => id)).toEqual([...ids, 'A']);
});

test('CSV ends its lines with CRLF, and DuckDB reads it', async () => {
  await using folder = await temporary();
  const range = await findRange(folder.path, 'ORDERS', [
    { ...ORDER, title: '', note: 'a"b\r\nc,ü', z: 1 },
  ]);
  const made = await convert('csv', makeConversion(folder.path, [range]));
  expect(made.find(({ table }) => table === 'orders')).toEqual({
    path: 'orders/2026-01.csv',
    table: 'orders',
    rows: 1,
  });
  const path = join(folder.path, 'orders/2026-01.csv');
  expect(await readFile(path, 'utf8')).toMatch(/^id,currency,.*,other\r\nO1,.*\r\n$/s);
  expect(await readFile(path, 'utf8')).toContain('2026-01-01T00:00:00.001Z');
  const literal = path.replaceAll("'", "''").replaceAll(/[[*?]/g, '[$&]');
  const rows = await query(
    ':memory:',
    `SELECT title, note, currency, created_time::VARCHAR AS at, other->>'z' AS z
    FROM read_csv('${literal}', header = true, allow_quoted_nulls = false, hive_partitioning = false, all_varchar = true)`,
  );
  expect(rows).toEqual([
    { title: '', note: 'a"b\r\nc,ü', currency: null, at: '2026-01-01T00:00:00.001Z', z: '1' },
  ]);
});

test.each(['csv', 'parquet', 'duckdb'] as const)(
  '%s: a line that is not an object',
  async (format) => {
    for (const line of ['[]', '{"id":"O1"', '{"id":"O1"}x', '{"id"}', 'nonsense']) {
      await using folder = await temporary();
      const range = await findRange(folder.path, 'ORDERS', [ORDER, line]);
      await expect(convert(format, makeConversion(folder.path, [range]))).rejects.toMatchObject({
        code: 'BAD_FILE',
        message: expect.stringContaining('line 2') as unknown,
      });
    }
  },
);
