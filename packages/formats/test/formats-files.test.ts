import { cp, mkdir, readFile, readdir, symlink, writeFile } from 'node:fs/promises';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { quotePattern } from '../src/quote.ts';
import { convert } from '../src/index.ts';
import { makeConversion, query, findRange, temporary } from './formats-fixture.ts';

const orders = (count: number, more: object = {}) =>
  Array.from({ length: count }, (_, index) => ({
    id: `O${index}`,
    createdTime: 1_767_225_600_000 + index,
    currency: 'USD',
    total: index,
    lineItems: { elements: [{ id: `L${index}`, price: index, item: { id: 'I' } }] },
    ...more,
  }));

const literal = (path: string) => `'${path.replaceAll("'", "''").replaceAll(/[[*?]/g, '[$&]')}'`;
const fromParquet = (path: string) => `read_parquet(${literal(path)}, hive_partitioning = false)`;

test('Parquet: one file a month, what is nested as lists', async () => {
  await using folder = await temporary();
  const ranges = [
    await findRange(folder.path, 'ORDERS', orders(3, { z: [1] })),
    await findRange(folder.path, 'ORDERS', [], { month: '2026-03' }),
    await findRange(folder.path, 'PAYMENTS', [
      { id: 'P1', createdTime: 1, amount: 5, tender: { label: 'Cash' } },
    ]),
  ];
  const made = await convert('parquet', makeConversion(folder.path, ranges));
  expect(made).toEqual([
    { path: 'orders/2026-01.parquet', table: 'orders', rows: 3 },
    { path: 'orders/2026-03.parquet', table: 'orders', rows: 0 },
    { path: 'payments/2026-01.parquet', table: 'payments', rows: 1 },
  ]);
  const [first = '', none = '', payments = ''] = made.map(({ path }) => join(folder.path, path));
  expect(
    await query(
      ':memory:',
      `SELECT id, created_time::VARCHAR AS at, line_items, len(refunds) AS refunds, other FROM ${fromParquet(first)} LIMIT 1 OFFSET 1`,
    ),
  ).toMatchObject([
    {
      id: 'O1',
      at: '2026-01-01 00:00:00.001+00',
      line_items: [{ id: 'L1', item_id: 'I', price: '1', other: null, discounts: [] }],
      refunds: '0',
      other: '{"z":[1]}',
    },
  ]);
  const schema = (path: string) => query(':memory:', `DESCRIBE FROM ${fromParquet(path)}`);
  expect(await schema(none)).toEqual(await schema(first));
  expect(
    await query(':memory:', `SELECT tender_label, tip_amount FROM ${fromParquet(payments)}`),
  ).toEqual([{ tender_label: 'Cash', tip_amount: null }]);
  expect(await readdir(join(folder.path, 'scratch'))).toEqual([]);
});

test('DuckDB: keys, comments and the view, whatever the file is called', async () => {
  await using folder = await temporary();
  const ranges = [
    await findRange(folder.path, 'ORDERS', orders(2)),
    await findRange(folder.path, 'PAYMENTS', [
      {
        id: 'P1',
        createdTime: 1_767_225_600_000,
        currency: 'USD',
        amount: 5,
        tipAmount: 1,
        result: 'SUCCESS',
        refunds: { elements: [{ id: 'R', amount: 2, createdTime: 1_767_312_000_000 }] },
      },
      { id: 'P2', createdTime: 1_767_225_600_000, currency: 'USD', amount: 9, result: 'FAIL' },
    ]),
  ];
  await convert('duckdb', makeConversion(folder.path, ranges));
  expect((await readdir(folder.path)).filter((name) => name.startsWith('sales'))).toEqual([
    'sales.duckdb',
  ]);
  const path = join(folder.path, 'renamed.db');
  await cp(join(folder.path, 'sales.duckdb'), path);
  const none = {
    orders: '0',
    order_total: '0',
    payments: '0',
    amount: '0',
    tip_amount: '0',
    tax_amount: '0',
    refunds: '0',
    refund_amount: '0',
  };
  expect(await query(path, 'FROM daily_totals')).toEqual([
    {
      ...none,
      day: '2026-01-01',
      currency: 'USD',
      orders: '2',
      order_total: '1',
      payments: '1',
      amount: '5',
      tip_amount: '1',
    },
    { ...none, day: '2026-01-02', currency: 'USD', refunds: '1', refund_amount: '2' },
  ]);
  expect(
    await query(
      path,
      `SELECT comment FROM duckdb_columns() WHERE table_name = 'line_items' AND column_name = 'unit_qty'`,
    ),
  ).toEqual([{ comment: 'unitQty; thousandths of a unit' }]);
  const keys = await query(
    path,
    `SELECT table_name AS name FROM duckdb_constraints() WHERE constraint_type = 'PRIMARY KEY' ORDER BY ALL`,
  );
  expect(keys.map(({ name }) => name)).toEqual([
    'line_item_modifications',
    'line_items',
    'order_discounts',
    'order_payments',
    'order_refunds',
    'orders',
    'payment_refunds',
    'payment_tax_rates',
    'payments',
  ]);
});

test('DuckDB: the same order twice', async () => {
  await using folder = await temporary();
  const range = await findRange(folder.path, 'ORDERS', [...orders(1), ...orders(1)]);
  await expect(convert('duckdb', makeConversion(folder.path, [range]))).rejects.toMatchObject({
    code: 'DUPLICATE_ID',
    message: expect.stringContaining('O0') as unknown,
  });
});

test.each(['csv', 'parquet', 'duckdb'] as const)(
  '%s: an abort ends it while it works',
  async (format) => {
    await using folder = await temporary();
    const out = join(folder.path, 'out');
    await mkdir(out);
    const range = await findRange(folder.path, 'ORDERS', orders(30_000));
    const controller = new AbortController();
    const conversion = makeConversion(out, [range], {
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    await expect(convert(format, conversion)).rejects.toMatchObject({ code: 'INTERRUPTED' });
  },
);

test.each(['csv', 'parquet', 'duckdb'] as const)(
  '%s: progress ends at 1 and never goes back',
  async (format) => {
    await using folder = await temporary();
    const seen: number[] = [];
    const ranges = [
      await findRange(folder.path, 'ORDERS', orders(9000)),
      await findRange(
        folder.path,
        'ORDERS',
        orders(20).map((order) => ({ ...order, id: `x${order.id}`, z: 1 })),
        { month: '2026-02' },
      ),
    ];
    const onProgress = (fraction: number) => void seen.push(fraction);
    await convert(format, makeConversion(folder.path, ranges, { onProgress }));
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    expect(seen.at(-1)).toBe(1);
  },
);

test('CSV needs no package; the others say which', async () => {
  await using folder = await temporary();
  // The package cannot be found in a directory without a node_modules above it.
  await cp(join(import.meta.dirname, '../src'), join(folder.path, 'src'), { recursive: true });
  const scope = join(folder.path, 'node_modules/@tillroll');
  await mkdir(scope, { recursive: true });
  for (const name of ['client', 'contract'])
    await symlink(join(import.meta.dirname, '../..', name), join(scope, name));
  await writeFile(join(folder.path, 'package.json'), '{"type":"module"}');
  const range = await findRange(folder.path, 'ORDERS', orders(2));
  const script = `
    import { convert } from './src/index.ts';
    for (const format of ['csv', 'parquet', 'duckdb']) {
      const conversion = ${JSON.stringify({ months: [range], out: folder.path, scratch: folder.path })};
      conversion.signal = new AbortController().signal;
      await convert(format, conversion).then(() => console.log('made'), (error) => console.log(error.code, error.hint));
    }`;
  await writeFile(join(folder.path, 'run.ts'), script);
  const { stdout, stderr } = spawnSync(process.execPath, ['run.ts'], {
    cwd: folder.path,
    encoding: 'utf8',
  });
  const missing =
    'MISSING_PACKAGE Run npm install @duckdb/node-api, with --global where this was installed so';
  expect(stderr + stdout).toBe(`made\n${missing}\n${missing}\n`);
  expect(await readFile(join(folder.path, 'orders/2026-01.csv'), 'utf8')).toContain('O1');
});

test('times carry their zone, and days are those of the directory', async () => {
  await using folder = await temporary();
  // Half past seven in the evening in New York, on the last day of 2025.
  const createdTime = Date.UTC(2026, 0, 1, 0, 30, 0, 123);
  const range = await findRange(folder.path, 'ORDERS', [
    { id: 'A', createdTime, currency: 'KWD', total: 1250 },
    { id: 'B', createdTime, currency: 'JPY', total: 1250 },
    { id: 'C', createdTime, currency: 'XAU', total: 1250 },
    { id: 'D', createdTime, currency: 'USD', total: 2 ** 53 - 1 },
    { id: 'E', createdTime, currency: 'USD', total: 2 ** 53 - 1 },
  ]);
  const timezone = 'America/New_York';
  for (const format of ['parquet', 'duckdb'] as const)
    await convert(format, makeConversion(folder.path, [range], { timezone }));
  const parquet = join(folder.path, 'orders/2026-01.parquet');
  expect(
    await query(
      ':memory:',
      `SELECT DISTINCT converted_type, logical_type FROM parquet_schema(${quotePattern(parquet)}) WHERE name = 'created_time'`,
    ),
  ).toEqual([
    {
      converted_type: 'TIMESTAMP_MICROS',
      logical_type: expect.stringContaining('isAdjustedToUTC=1') as unknown,
    },
  ]);
  const path = join(folder.path, 'sales.duckdb');
  expect(
    await query(
      path,
      `SELECT DISTINCT typeof(created_time) AS type, epoch_ms(created_time) AS at FROM orders`,
    ),
  ).toEqual([{ type: 'TIMESTAMP WITH TIME ZONE', at: String(createdTime) }]);
  expect(
    await query(path, 'SELECT day, currency, order_total FROM daily_totals ORDER BY currency'),
  ).toEqual([
    { day: '2025-12-31', currency: 'JPY', order_total: '1250' },
    { day: '2025-12-31', currency: 'KWD', order_total: '1250' },
    // Above 2^53, exact.
    { day: '2025-12-31', currency: 'USD', order_total: '18014398509481982' },
    { day: '2025-12-31', currency: 'XAU', order_total: '1250' },
  ]);
  expect(
    await query(
      path,
      'SELECT id, major_units(total, currency)::VARCHAR AS total FROM orders ORDER BY id',
    ),
  ).toEqual([
    { id: 'A', total: '1.2500' },
    { id: 'B', total: '1250.0000' },
    { id: 'C', total: null },
    { id: 'D', total: '90071992547409.9100' },
    { id: 'E', total: '90071992547409.9100' },
  ]);
});
