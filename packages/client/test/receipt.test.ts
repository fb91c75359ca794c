import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { FORMATS } from '../src/directory/layout.ts';
import { makeReceipt } from '../src/directory/make-receipt.ts';
import type {
  MonthTotals,
  OrderTotals,
  PaymentTotals,
  Receipt,
  ReceiptFile,
  ReceiptTable,
} from '../src/directory/receipt.ts';
import { emptyState } from '../src/directory/state.ts';
import { commitMonths, openDirectory } from './directory-scene.ts';
import { headOf, temporary, type Sale } from './output-directory.ts';

interface Schema {
  description?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean;
  items?: Schema;
  type?: string | string[];
  $ref?: string;
  $defs?: Record<string, Schema>;
}
const schema = JSON.parse(
  readFileSync(new URL('../src/receipt.schema.json', import.meta.url), 'utf8'),
) as Schema;
const ajv = new Ajv2020({
  strict: true,
  allowUnionTypes: true,
  allErrors: true,
  formats: { 'date-time': true },
});
const isValid = ajv.compile(schema);

function faults(receipt: unknown): string[] {
  // As it stands in the file.
  isValid(JSON.parse(JSON.stringify(receipt)));
  return (isValid.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}

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

/** The names of a type's members: one that is missing here, or is none, does not compile. */
function members<T>(all: Record<keyof T, true>): string[] {
  return Object.keys(all).toSorted();
}
const TOTALS = {
  currency: true,
  objects: true,
  refunds: true,
  refundAmount: true,
  net: true,
  uncounted: true,
} as const;
const ON_DISK = { path: true, bytes: true, sha256: true } as const;
const itemsOf = (name: string): Schema | undefined => schema.properties?.[name]?.items;
const SHAPES: [string, string[], Schema | undefined][] = [
  [
    'Receipt',
    members<Receipt>({
      receipt: true,
      complete: true,
      source: true,
      format: true,
      gzip: true,
      columns: true,
      bounds: true,
      timezone: true,
      spans: true,
      objects: true,
      files: true,
      tables: true,
      totals: true,
      months: true,
      missing: true,
    }),
    schema,
  ],
  [
    'source',
    members<Receipt['source']>({ url: true, merchant: true }),
    schema.properties?.['source'],
  ],
  [
    'a span',
    members<Receipt['spans'][number]>({ type: true, from: true, to: true }),
    itemsOf('spans'),
  ],
  [
    'ReceiptFile',
    members<ReceiptFile>({
      ...ON_DISK,
      type: true,
      month: true,
      covers: true,
      exports: true,
      objects: true,
      outside: true,
      firstCreatedTime: true,
      lastCreatedTime: true,
    }),
    itemsOf('files'),
  ],
  [
    'a range',
    members<ReceiptFile['covers'][number]>({ startTime: true, endTime: true }),
    schema.$defs?.['range'],
  ],
  [
    'ReceiptTable',
    members<ReceiptTable>({ ...ON_DISK, table: true, rows: true }),
    itemsOf('tables'),
  ],
  [
    'totals',
    members<Receipt['totals']>({ orders: true, payments: true }),
    schema.properties?.['totals'],
  ],
  [
    'OrderTotals',
    members<OrderTotals>({ ...TOTALS, total: true }),
    schema.properties?.['totals']?.properties?.['orders']?.items,
  ],
  [
    'PaymentTotals',
    members<PaymentTotals>({
      ...TOTALS,
      result: true,
      amount: true,
      tipAmount: true,
      taxAmount: true,
    }),
    schema.properties?.['totals']?.properties?.['payments']?.items,
  ],
  [
    'MonthTotals',
    members<MonthTotals>({
      type: true,
      month: true,
      currency: true,
      objects: true,
      amount: true,
      refundAmount: true,
      net: true,
    }),
    itemsOf('months'),
  ],
  [
    'what is missing',
    members<Receipt['missing'][number]>({
      name: true,
      type: true,
      startTime: true,
      endTime: true,
      reason: true,
    }),
    itemsOf('missing'),
  ],
];

function* objectsIn(schemaPart: Schema): Generator<Schema, void, void> {
  if (schemaPart.properties) yield schemaPart;
  for (const inner of [
    ...Object.values(schemaPart.properties ?? {}),
    ...Object.values(schemaPart.$defs ?? {}),
  ])
    yield* objectsIn(inner);
  if (schemaPart.items) yield* objectsIn(schemaPart.items);
}

/** Every object in a value. */
function* objectsOf(value: unknown): Generator<Record<string, unknown>, void, void> {
  if (typeof value !== 'object' || value === null) return;
  if (!Array.isArray(value)) yield value as Record<string, unknown>;
  for (const inner of Object.values(value)) yield* objectsOf(inner);
}

describe('the JSON Schema of receipt.json', () => {
  test.each(SHAPES)('has the members of %s', (_, names, shape) => {
    expect(Object.keys(shape?.properties ?? {}).toSorted()).toEqual(names);
  });

  test('describes every object, requires every member and allows no other', () => {
    expect([...objectsIn(schema)]).toHaveLength(SHAPES.length);
    for (const shape of objectsIn(schema)) {
      expect(shape.additionalProperties).toBe(false);
      expect(shape.required?.toSorted()).toEqual(Object.keys(shape.properties ?? {}).toSorted());
      for (const [name, member] of Object.entries(shape.properties ?? {})) {
        const described =
          member.description ?? schema.$defs?.[member.$ref?.split('/').at(-1) ?? '']?.description;
        expect(described, name).toMatch(/\S/);
        if (/amount|total$|^net$/i.test(name)) expect(described, name).toMatch(/minor units/i);
        if (name.endsWith('Time')) expect(described, name).toMatch(/epoch milliseconds/);
        if (name === 'bytes') expect(described, name).toMatch(/bytes/);
      }
    }
  });
});

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
    for (const object of objectsOf(receipt)) {
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
    const state = emptyState(headOf({ format: 'duckdb', gzip: false }));
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
