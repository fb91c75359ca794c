import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { convert } from '../src/index.ts';
import { TABLES, listColumns } from '../src/tables.ts';
import { ORDER_WITH_MODIFICATIONS, SAMPLE_ORDERS, SAMPLE_PAYMENTS } from './formats-sample.ts';
import {
  bothTables,
  conversionOf,
  query,
  rangeOf,
  temporary,
  type Tables,
} from './formats-fixture.ts';

const ORDER = { id: 'O1', createdTime: 1_767_225_600_001, modifiedTime: 1_767_225_600_002 };
const PAYMENT = { id: 'P1', createdTime: 1_767_225_600_003, modifiedTime: 1_767_225_600_004 };

/** Orders and payments in both forms, which must be equal. */
async function tablesOf(orders: readonly (object | string)[], payments: readonly object[] = []) {
  await using folder = await temporary();
  const ranges = [
    await rangeOf(folder.path, 'ORDERS', orders),
    await rangeOf(folder.path, 'PAYMENTS', payments),
  ];
  const { csv, duckdb } = await bothTables(folder.path, ranges);
  expect(duckdb).toEqual(csv);
  return csv;
}

const firstOf = async (orders: readonly (object | string)[]) =>
  (await tablesOf(orders)).orders?.[0];

test('nothing gives headers alone', async () => {
  const tables = await tablesOf([]);
  expect(Object.keys(tables)).toEqual(TABLES.map(({ name }) => name));
  expect(Object.values(tables).flat()).toEqual([]);
});

test('all that generated trade has finds a column', async () => {
  const tables = await tablesOf(
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
  const tables = await tablesOf([ORDER_WITH_MODIFICATIONS]);
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

test('texts of every kind', async () => {
  const texts = [
    '',
    ' ',
    'a,b',
    'say "hi"',
    'a\r\nb',
    '\n',
    '=1+1',
    'Phở 🍜',
    '\u0000\u2028',
    'null',
    "o'",
  ];
  const orders = texts.map((title, index) => ({ ...ORDER, id: `O${index}`, title }));
  const tables = await tablesOf(orders);
  expect(tables.orders?.map(({ title }) => title)).toEqual(texts);
});

test('a note of 5 MB', async () => {
  const note = 'é"\n'.repeat(1_300_000);
  const rows = await tablesOf([
    { ...ORDER, note },
    { ...ORDER, id: 'O2' },
    { ...ORDER, id: 'O3', note, x: note },
  ]);
  expect(rows.orders?.map((row) => row.note === note)).toEqual([true, false, true]);
  expect(JSON.parse(rows.orders?.[2]?.other as string)).toEqual({ x: note });
}, 60_000);

test('nulls, zeros and absence', async () => {
  const tables = await tablesOf(
    [{ ...ORDER, state: null, total: 0, lineItems: null, employee: null, unknown: null }],
    [
      { ...PAYMENT, tipAmount: 0 },
      { ...PAYMENT, id: 'P2' },
    ],
  );
  expect(tables.orders?.[0]).toMatchObject({ state: null, total: '0', other: '{"unknown":null}' });
  expect(tables.payments?.map(({ tip_amount }) => tip_amount)).toEqual(['0', null]);
});

test('numbers are exact, or kept aside', async () => {
  const line = (total: string) =>
    `{"id":"${total}","createdTime":5,"modifiedTime":5,"total":${total}}`;
  const good = ['-5', '0', '9223372036854775807', '-9223372036854775807'];
  const bad = ['9223372036854775808', '1.5', '1e-3', '1e30', '"12"', 'true', '[1]', '{"a":1}'];
  const unusual = {
    '1250.0': '1250',
    '1.25e3': '1250',
    '-0': '0',
    '9007199254740993.0': '9007199254740993',
  };
  const { orders = [] } = await tablesOf(
    [...good, ...Object.keys(unusual), ...bad].map((total, index) =>
      line(total).replace(/"id":"[^,]*",/, `"id":"O${index}",`),
    ),
  );
  expect(orders.slice(0, 4).map(({ total, other }) => [total, other])).toEqual(
    good.map((total) => [total, null]),
  );
  expect(orders.slice(4, 8).map(({ total, other }) => [total, other])).toEqual(
    Object.values(unusual).map((total) => [total, null]),
  );
  expect(orders.slice(8).map(({ total, other }) => [total, other])).toEqual(
    bad.map((total) => [null, `{"total":${total}}`]),
  );
});

test('times are whole numbers, however they are written', async () => {
  const lines = [
    '{"id":"F1","createdTime":1767225601000.0,"modifiedTime":1767225601000.0,"total":1250.0}',
    '{"id":"F2","createdTime":1.767225602e12,"modifiedTime":1.767225602e12,"total":1.25e3}',
    '{"id":"F3","createdTime":1767225603000,"modifiedTime":1767225603000,"total":1250}',
  ];
  const { orders = [] } = await tablesOf(lines);
  expect(orders.map((row) => [row['created_time'], row['total'], row['other']])).toEqual(
    [1, 2, 3].map((second) => [`176722560${second}000`, '1250', null]),
  );
});

test('times outside the years 0 to 9999 are kept aside', async () => {
  const times = [
    -62_167_219_200_000, 253_402_300_799_999, -62_167_219_200_001, 253_402_300_800_000,
  ];
  const { orders = [] } = await tablesOf(
    times.map((modifiedTime, index) => ({ ...ORDER, id: `O${index}`, modifiedTime })),
  );
  expect(orders.map(({ modified_time }) => modified_time)).toEqual([
    '-62167219200000',
    '253402300799999',
    null,
    null,
  ]);
  expect(orders[2]?.other).toBe('{"modifiedTime":-62167219200001}');
});

test('unknown members at every level', async () => {
  const big = `[123456789012345678901234567890.10,1e400]`;
  const tables = await tablesOf([
    `{"id":"O1","createdTime":5,"big":${big},"employee":{"id":"E","href":"h"},"Total":1,"other":7,
      "lineItems":{"href":"x","elements":[
        {"id":"L1","orderRef":{"id":"O1","z":1},"item":{"id":"I","code":2},"a":[],
          "discounts":{"elements":[{"id":"D1","amount":-5,"b":{}}]}},
        {"id":"L2","orderRef":{"id":"elsewhere"}}]},
      "discounts":{"elements":[{"id":"D0","percentage":12.5}]},
      "payments":{"elements":[{"id":"P","refunds":{"elements":[]}}]}}`.replaceAll(/\n\s*/g, ''),
  ]);
  expect(tables.orders?.[0]?.other).toBe(
    `{"big":${big},"Total":1,"other":7,"employee":{"href":"h"},"lineItems":{"href":"x"}}`,
  );
  expect(tables.line_items?.map(({ other }) => other)).toEqual([
    '{"a":[],"orderRef":{"z":1},"item":{"code":2}}',
    '{"orderRef":{"id":"elsewhere"}}',
  ]);
  expect(tables.order_discounts).toEqual([
    {
      order_id: 'O1',
      position: '1',
      line_item_id: null,
      line_item_position: null,
      id: 'D0',
      name: null,
      amount: null,
      percentage: null,
      other: '{"percentage":12.5}',
    },
    {
      order_id: 'O1',
      position: '2',
      line_item_id: 'L1',
      line_item_position: '1',
      id: 'D1',
      name: null,
      amount: '-5',
      percentage: null,
      other: '{"b":{}}',
    },
  ]);
  expect(tables.order_payments?.[0]?.other).toBe('{"refunds":{"elements":[]}}');
});

test('collections that are none are kept whole', async () => {
  const tables = await tablesOf([
    {
      ...ORDER,
      lineItems: { elements: [{ id: 'L1' }, 5] },
      payments: [],
      discounts: 'x',
      employee: 3,
    },
  ]);
  expect(JSON.parse(tables.orders?.[0]?.other as string)).toEqual({
    lineItems: { elements: [{ id: 'L1' }, 5] },
    payments: [],
    discounts: 'x',
    employee: 3,
  });
  expect(tables.line_items).toEqual([]);
});

test('names in escapes, names that come twice, halves of pairs', async () => {
  const escaped = String.raw`{"id":"O1","createdTime":1,"t\u006ftal":5,"x\u00e9":1}`;
  expect(await firstOf([escaped])).toMatchObject({ total: '5', other: String.raw`{"x\u00e9":1}` });
  const twice = '{"id":"O1","createdTime":1,"total":5,"total":6}';
  expect(await firstOf([twice])).toMatchObject({ total: '5', other: '{"total":6}' });
  const halves = String.raw`{"id":"O1","createdTime":1,"title":"\ud83c","note":"\ud83c\udf5c","z":"\\ud800"}`;
  expect(await firstOf([halves])).toMatchObject({
    title: null,
    note: '🍜',
    other: String.raw`{"title":"\\ud83c","z":"\\ud800"}`,
  });
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
  const tables = await tablesOf([order], [payment]);
  const amounts = (rows: Tables[string] = []): (string | null | undefined)[] =>
    rows.map(({ amount }) => amount);
  expect(amounts(tables['order_refunds'])).toEqual(['4', '1']);
  expect(amounts(tables['payment_refunds'])).toEqual(['5', '7', '8', '9']);

  await using folder = await temporary();
  const months = [
    await rangeOf(folder.path, 'ORDERS', [order]),
    await rangeOf(folder.path, 'PAYMENTS', [payment]),
  ];
  await convert('duckdb', conversionOf(folder.path, months));
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
    await rangeOf(
      folder.path,
      'ORDERS',
      ids.map((id) => ({ ...ORDER, id, y: 1 })),
      { gzip: true },
    ),
    await rangeOf(folder.path, 'ORDERS', [{ ...ORDER, id: 'A' }], { month: '2026-02', gzip: true }),
    await rangeOf(folder.path, 'ORDERS', [], { month: '2026-03', gzip: true }),
  ];
  const { csv, duckdb } = await bothTables(folder.path, ranges);
  expect(duckdb).toEqual(csv);
  expect(csv.orders?.map(({ id }) => id)).toEqual([...ids, 'A']);
});

test('CSV ends its lines with CRLF, and DuckDB reads it', async () => {
  await using folder = await temporary();
  const range = await rangeOf(folder.path, 'ORDERS', [
    { ...ORDER, title: '', note: 'a"b\r\nc,ü', z: 1 },
  ]);
  const made = await convert('csv', conversionOf(folder.path, [range]));
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
      const range = await rangeOf(folder.path, 'ORDERS', [ORDER, line]);
      await expect(convert(format, conversionOf(folder.path, [range]))).rejects.toMatchObject({
        code: 'BAD_FILE',
        message: expect.stringContaining('line 2') as unknown,
      });
    }
  },
);
