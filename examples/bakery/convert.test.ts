import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { convert, convertFile, localMonth, price } from './convert.ts';
import { fromLocal } from './local-time.ts';

const HERE = import.meta.dirname;
const SAMPLE = join(HERE, 'sample.csv');
const HEADER = 'Date,Time,Transaction,Item\n';

function iso(utcMs: number | undefined): string {
  return new Date(utcMs ?? NaN).toISOString();
}

async function onlyOrder(rows: string) {
  const { orders } = await convert(HEADER + rows);
  expect(orders).toHaveLength(1);
  return orders[0];
}

describe('local time', () => {
  test.each([
    ['winter', '2017-01-15T12:00:00Z', '2017-01-15T12:00:00.000Z'],
    ['summer', '2017-07-15T12:00:00Z', '2017-07-15T11:00:00.000Z'],
    [
      'the last moment before the hour that comes twice',
      '2016-10-30T00:59:59Z',
      '2016-10-29T23:59:59.000Z',
    ],
    [
      'the hour that comes twice: its first, in summer time',
      '2016-10-30T01:30:00Z',
      '2016-10-30T00:30:00.000Z',
    ],
    ['the first moment after it', '2016-10-30T02:00:00Z', '2016-10-30T02:00:00.000Z'],
    ['the last moment before the missing hour', '2017-03-26T00:59:59Z', '2017-03-26T00:59:59.000Z'],
    [
      'the missing hour: an hour later on the clock',
      '2017-03-26T01:30:00Z',
      '2017-03-26T01:30:00.000Z',
    ],
    ['the first moment after it', '2017-03-26T02:00:00Z', '2017-03-26T01:00:00.000Z'],
  ])('%s', (_, local, utc) => {
    expect(iso(fromLocal(Date.parse(local)))).toBe(utc);
  });

  test('a month begins an hour earlier in summer', () => {
    expect(localMonth(Date.parse('2017-04-30T22:59:59.999Z'))).toBe('2017-04');
    expect(localMonth(Date.parse('2017-04-30T23:00:00Z'))).toBe('2017-05');
    expect(localMonth(Date.parse('2017-01-31T23:59:59.999Z'))).toBe('2017-01');
    expect(localMonth(Date.parse('2017-02-01T00:00:00Z'))).toBe('2017-02');
  });
});

describe('orders and payments', () => {
  test('rows of one transaction become one order, at the time of its first row', async () => {
    const { orders, payments } = await convert(
      `${HEADER}14-11-2016,08:15:09,7,Roll\n14-11-2016,08:16:00,8,Tea\n14-11-2016,08:17:00,7,NONE\n`,
    );
    const at = Date.UTC(2016, 10, 14, 8, 15, 9);
    expect(orders.map(({ id }) => id)).toEqual(['BB00000000007', 'BB00000000008']);
    expect(orders[0]).toEqual({
      id: 'BB00000000007',
      currency: 'GBP',
      total: 140,
      state: 'locked',
      paymentState: 'PAID',
      createdTime: at,
      modifiedTime: at,
      lineItems: {
        elements: [
          { id: 'BB00000000007-1', name: 'Roll', price: 140, createdTime: at },
          { id: 'BB00000000007-2', name: 'NONE', price: 0, createdTime: at + 111_000 },
        ],
      },
    });
    expect(payments[0]).toEqual({
      id: 'BP00000000007',
      order: { id: 'BB00000000007' },
      currency: 'GBP',
      amount: 140,
      result: 'SUCCESS',
      createdTime: at,
      modifiedTime: at,
    });
    expect(payments).toHaveLength(2);
  });

  test('a transaction of nothing but NONE is an order of 0, and so is its payment', async () => {
    const { orders, payments } = await convert(`${HEADER}01-05-2017,00:40:00,1,NONE\n`);
    expect(orders[0]?.total).toBe(0);
    expect(payments[0]?.amount).toBe(0);
  });

  test('a price counts bytes, and an item is taken as it is written', async () => {
    expect(price('Tea')).toBe(130);
    expect(price('Crème')).toBe(160);
    const order = await onlyOrder('09-01-2017,07:45:17,1,Tea, pot for "two" \r\n');
    expect(order?.lineItems.elements[0]?.name).toBe('Tea, pot for "two" ');
  });

  test('lines may come one by one', async () => {
    const lines = ['\uFEFFDate,Time,Transaction,Item\r', '09-01-2017,07:45:17,1,Tea\r', ''];
    expect((await convert(lines)).orders).toHaveLength(1);
  });

  test.each([
    ['Date;Time\n', 'line 1 must be Date,Time,Transaction,Item; got "Date;Time"'],
    ['', 'line 1 must be'],
    [`${HEADER}31-02-2017,07:45:17,1,Tea`, 'line 2 must be'],
    [`${HEADER}\n01-02-2017,24:00:00,1,Tea`, 'line 3 must be'],
    [`${HEADER}01-02-2017,07:45:17,007,Tea`, 'line 2 must be'],
    [`${HEADER}01-02-2017,07:45:17,1,`, 'line 2 must be'],
  ])('%j is refused by its line', async (csv, message) => {
    await expect(convert(csv)).rejects.toThrow(message);
  });
});

describe('the sample', () => {
  test('totals by month of local time are what awk reads from the file', async () => {
    const { orders } = await convert(await readFile(SAMPLE, 'utf8'));
    const months = new Map<string, { count: number; pence: number }>();
    for (const { createdTime, total } of orders) {
      const month = months.get(localMonth(createdTime)) ?? { count: 0, pence: 0 };
      months.set(localMonth(createdTime), { count: month.count + 1, pence: month.pence + total });
    }
    const ours = [...months].map(([month, { count, pence }]) => `${month} ${count} ${pence}\n`);
    const awk = execFileSync('awk', ['-f', join(HERE, 'totals.awk'), SAMPLE], {
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C' },
    });
    expect(ours.sort().join('')).toBe(awk);
    expect(months.size).toBe(12);
  });

  test('holds orders whose month in UTC is another', async () => {
    const { orders } = await convert(await readFile(SAMPLE, 'utf8'));
    const differing = orders.filter(
      ({ createdTime }) => localMonth(createdTime) !== iso(createdTime).slice(0, 7),
    );
    expect(differing.length).toBeGreaterThanOrEqual(5);
  });

  test('is written as two files, an object a line', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'bakery-'));
    onTestFinished(() => rm(directory, { recursive: true }));
    const files = await convertFile(SAMPLE, join(directory, 'new'));
    const { orders, payments } = await convert(await readFile(SAMPLE, 'utf8'));
    const read = async (path: string) =>
      (await readFile(path, 'utf8'))
        .split('\n')
        .flatMap((line) => (line ? [JSON.parse(line)] : []));
    expect(await read(files.orders)).toEqual(orders);
    expect(await read(files.payments)).toEqual(payments);
    expect(files.count).toBe(orders.length);
  });
});
