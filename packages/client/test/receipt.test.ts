import { describe, expect, test } from 'vitest';
import { FORMATS } from '../src/directory/layout.ts';
import { makeReceipt } from '../src/directory/make-receipt.ts';
import type { Receipt } from '../src/directory/receipt.ts';
import { emptyState } from '../src/directory/state.ts';
import { commitMonths, openDirectory } from './directory-scene.ts';
import { makeHead, type Sale, temporary } from './output-directory.ts';
import { faults } from './receipt-schema.ts';

const START = Date.UTC(2026, 0, 1);

const DAY = 86_400_000;

const FEBRUARY = START + 31 * DAY;

const SALES: Sale[] = [
  { id: 'A', createdTime: START, currency: 'USD', total: 1250, amount: 1250, result: 'SUCCESS' },
  { id: 'B', createdTime: START + DAY, currency: 'EUR', total: -5, amount: 7, result: 'FAIL' },
  { id: 'C', createdTime: START + 40 * DAY, total: 5, amount: 9, result: 'SUCCESS' },
  { id: 'D', createdTime: START + 2 * DAY, currency: '__proto__ $', total: 1 },
];

const REASON = 'the export FAILED';

/** The receipt of two months of orders and one of payments; with `reason`, the second month is missing. */
async function createReceipt(
  format: Receipt['format'],
  gzip = false,
  reason?: string,
): Promise<Receipt> {
  const directory = await openDirectory(temporary(), { format, gzip });
  return commitMonths(
    directory,
    [
      ['PAYMENTS', '2026-01', SALES],
      ['ORDERS', '2026-02', []],
      ['ORDERS', '2026-01', SALES],
    ],
    new Map(reason === undefined ? [] : [['orders/2026-02', reason]]),
  );
}

/** Every object in a value. */
function* walkObjects(value: unknown): Generator<Record<string, unknown>, void, void> {
  if (typeof value !== 'object' || value === null) return;
  if (!Array.isArray(value)) yield value as Record<string, unknown>;
  for (const inner of Object.values(value)) yield* walkObjects(inner);
}

describe('a receipt', () => {
  test.each(FORMATS.flatMap((format) => [false, true].map((gzip) => [format, gzip] as const)))(
    'of %s, gzip %s, is valid',
    async (format, gzip) => {
      const receipt = await createReceipt(format, gzip, format === 'csv' ? REASON : undefined);
      expect(faults(receipt)).toEqual([]);
      expect(receipt.complete).toBe(format !== 'csv');
      expect(receipt.files.length).toBe(3);
      const tables = { jsonl: 0, csv: 15, parquet: 3, duckdb: 2 };
      expect(receipt.tables.length).toBe(tables[format]);
    },
  );

  test('without any member, or with one more, is not', async () => {
    const receipt = JSON.parse(JSON.stringify(await createReceipt('csv', true, REASON))) as Receipt;
    let tried = 0;
    for (const object of walkObjects(receipt)) {
      for (const name of Object.keys(object)) {
        const value = object[name];
        delete object[name];
        expect(faults(receipt), `without ${name}`).not.toEqual([]);
        object[name] = {};
        expect(faults(receipt), `with another ${name}`).not.toEqual([]);
        object[name] = value;
        tried++;
      }
      object['more'] = 1;
      expect(faults(receipt)).not.toEqual([]);
      delete object['more'];
    }
    expect(faults(receipt)).toEqual([]);
    expect(tried).toBeGreaterThan(100);
  });

  test('counts what was there', async () => {
    const receipt = await createReceipt('jsonl');
    expect(receipt.objects).toBe(8);
    expect(receipt.files.map(({ path, objects }) => [path, objects])).toEqual([
      ['orders/2026-01.jsonl', 4],
      ['orders/2026-02.jsonl', 0],
      ['payments/2026-01.jsonl', 4],
    ]);
    expect(receipt.files[0]).toMatchObject({
      covers: [{ startTime: START, endTime: FEBRUARY }],
      exports: ['E2026-01'],
      outside: 1,
      firstCreatedTime: START,
      lastCreatedTime: START + 40 * DAY,
    });
    expect(receipt.files[1]).toMatchObject({ firstCreatedTime: null, lastCreatedTime: null });
    expect(receipt.spans).toEqual([
      { type: 'ORDERS', from: '2026-01-01T00:00:00Z', to: '2026-03-01T00:00:00Z' },
      { type: 'PAYMENTS', from: '2026-01-01T00:00:00Z', to: '2026-02-01T00:00:00Z' },
    ]);
    const noRefunds = { refunds: 0, refundAmount: 0 };
    const order = (currency: string | null, total: number): object => {
      return { currency, objects: 1, total, ...noRefunds, net: total, uncounted: 0 };
    };
    expect(receipt.totals.orders).toEqual([
      order(null, 5),
      order('EUR', -5),
      order('USD', 1250),
      order('__proto__ $', 1),
    ]);
    expect(
      receipt.totals.payments.map(({ currency, result, amount, net, uncounted }) => [
        currency,
        result,
        amount,
        net,
        uncounted,
      ]),
    ).toEqual([
      [null, 'SUCCESS', 9, 9, 0],
      ['EUR', 'FAIL', 7, 0, 0],
      ['USD', 'SUCCESS', 1250, 1250, 0],
      ['__proto__ $', null, 0, 0, 1],
    ]);
    const february = { month: '2026-02', currency: null, objects: 1, refundAmount: 0 };
    expect(receipt.months).toContainEqual({ type: 'ORDERS', ...february, amount: 5, net: 5 });
    // A month of payments counts what it sums.
    const euros = receipt.months.filter(({ currency }) => currency === 'EUR');
    expect(euros.map(({ type }) => type)).toEqual(['ORDERS']);
  });

  test('says what a pull was to cover, also where that is missing', () => {
    const state = emptyState(makeHead({ format: 'duckdb', gzip: false }));
    const wanted = { startTime: START + DAY, endTime: FEBRUARY + DAY };
    state.types.ORDERS = { wanted, refreshFrom: null, months: {}, exports: [] };
    const receipt = makeReceipt(state, new Map([['orders/2026-01', REASON]]));
    expect(faults(receipt)).toEqual([]);
    expect(receipt).toMatchObject({
      complete: false,
      objects: 0,
      spans: [{ type: 'ORDERS', from: '2026-01-02T00:00:00Z', to: '2026-02-02T00:00:00Z' }],
    });
    expect(receipt.missing).toEqual([
      {
        name: 'orders/2026-01',
        type: 'ORDERS',
        startTime: START + DAY,
        endTime: FEBRUARY,
        reason: REASON,
      },
      {
        name: 'orders/2026-02',
        type: 'ORDERS',
        startTime: FEBRUARY,
        endTime: FEBRUARY + DAY,
        reason: 'not fetched yet',
      },
      {
        name: 'sales.duckdb',
        type: null,
        startTime: null,
        endTime: null,
        reason: 'not made yet',
      },
    ]);
  });
});
