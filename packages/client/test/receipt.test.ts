import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Journal } from '../src/files/journal.ts';
import type { Layout, TypedRange } from '../src/files/layout.ts';
import { makeReceipt } from '../src/files/make-receipt.ts';
import { FORMATS } from '../src/files/pull-types.ts';
import type {
  MonthTotals,
  OrderTotals,
  PaymentTotals,
  Receipt,
  ReceiptFile,
  ReceiptRange,
} from '../src/files/receipt.ts';
import { headOf, stored, temporary, type Sale } from './output-directory.ts';

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

function range(type: TypedRange['type'], from: number, to: number): TypedRange {
  return { type, startTime: START + from * DAY, endTime: START + to * DAY };
}

const SALES: Sale[] = [
  { id: 'A', createdTime: START, currency: 'USD', total: 1250, amount: 1250, result: 'SUCCESS' },
  { id: 'B', createdTime: START + DAY, currency: 'EUR', total: -5, amount: 7, result: 'FAIL' },
  { id: 'C', createdTime: START + 40 * DAY, total: 5, amount: 9, result: 'SUCCESS' },
  { id: 'D', createdTime: START + 2 * DAY, currency: '__proto__ $', total: 1 },
];
const MISSING = {
  name: 'orders/2026-03-01_2026-03-31',
  ...range('ORDERS', 59, 89),
  reason: 'the export FAILED',
};

async function receiptOf(
  kind: Omit<Layout, 'out'>,
  missing: Receipt['missing'] = [],
): Promise<Receipt> {
  const out = temporary();
  const layout = { out, ...kind };
  const journal = await Journal.open(layout, headOf(kind));
  onTestFinished(() => journal[Symbol.asyncDispose]());
  for (const at of [range('PAYMENTS', 0, 30), range('ORDERS', 30, 59), range('ORDERS', 0, 30)])
    await journal.rangeDone(stored(layout, 'final', at, at.startTime === START ? SALES : []), []);
  const table = {
    table: 'orders',
    path: 'tables/orders.csv',
    objects: 4,
    bytes: 99,
    sha256: '0'.repeat(64),
    first: null,
    last: null,
  };
  await journal.setConverted({ basis: 'x', files: [table] });
  return makeReceipt(journal, new Map(), missing);
}

/** The names of a type's members: one that is missing here, or is none, does not compile. */
function members<T>(all: Record<keyof T, true>): string[] {
  return Object.keys(all).toSorted();
}
const FILE = {
  path: true,
  objects: true,
  bytes: true,
  sha256: true,
  firstCreatedTime: true,
  lastCreatedTime: true,
} as const;
const SHAPES: [string, string[], Schema | undefined][] = [
  [
    'Receipt',
    members<Receipt>({
      receipt: true,
      complete: true,
      source: true,
      format: true,
      gzip: true,
      bounds: true,
      timezone: true,
      spans: true,
      objects: true,
      ranges: true,
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
    schema.properties?.['spans']?.items,
  ],
  ['ReceiptFile', members<ReceiptFile>(FILE), schema.$defs?.['file']],
  [
    'a table',
    members<Receipt['tables'][number]>({ ...FILE, table: true }),
    schema.properties?.['tables']?.items,
  ],
  [
    'ReceiptRange',
    members<ReceiptRange>({
      type: true,
      name: true,
      startTime: true,
      endTime: true,
      exports: true,
      objects: true,
      outside: true,
      firstCreatedTime: true,
      lastCreatedTime: true,
      files: true,
    }),
    schema.properties?.['ranges']?.items,
  ],
  [
    'totals',
    members<Receipt['totals']>({ orders: true, payments: true }),
    schema.properties?.['totals'],
  ],
  [
    'OrderTotals',
    members<OrderTotals>({ currency: true, objects: true, total: true }),
    schema.properties?.['totals']?.properties?.['orders']?.items,
  ],
  [
    'PaymentTotals',
    members<PaymentTotals>({
      currency: true,
      result: true,
      objects: true,
      amount: true,
      tipAmount: true,
      taxAmount: true,
    }),
    schema.properties?.['totals']?.properties?.['payments']?.items,
  ],
  [
    'MonthTotals',
    members<MonthTotals>({ type: true, month: true, currency: true, objects: true, amount: true }),
    schema.properties?.['months']?.items,
  ],
  [
    'a missing range',
    members<Receipt['missing'][number]>({
      name: true,
      type: true,
      startTime: true,
      endTime: true,
      reason: true,
    }),
    schema.properties?.['missing']?.items,
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
        if (/amount|total$/i.test(name)) expect(described, name).toMatch(/minor units/i);
        if (name.endsWith('Time')) expect(described, name).toMatch(/epoch milliseconds/);
        if (name === 'bytes') expect(described, name).toMatch(/bytes/);
      }
    }
  });
});

describe('a receipt', () => {
  test.each(
    FORMATS.flatMap(
      (format) =>
        [
          [format, false],
          [format, true],
        ] as const,
    ),
  )('of %s, gzip %s, is valid', async (format, gzip) => {
    const receipt = await receiptOf({ format, gzip }, format === 'csv' ? [MISSING] : []);
    expect(faults(receipt)).toEqual([]);
    expect(receipt.complete).toBe(format !== 'csv');
    expect(receipt.ranges.length).toBe(3);
    expect(receipt.tables.length).toBe(format === 'json' || format === 'jsonl' ? 0 : 1);
  });

  test('without any member, or with one more, is not', async () => {
    const receipt = JSON.parse(
      JSON.stringify(await receiptOf({ format: 'csv', gzip: true }, [MISSING])),
    ) as Receipt;
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
    const receipt = await receiptOf({ format: 'jsonl', gzip: false });
    expect(receipt.objects).toBe(8);
    expect(receipt.ranges.map(({ type, name, objects }) => [type, name, objects])).toEqual([
      ['ORDERS', '2026-01-01_2026-01-31', 4],
      ['ORDERS', '2026-01-31_2026-03-01', 0],
      ['PAYMENTS', '2026-01-01_2026-01-31', 4],
    ]);
    expect(receipt.ranges[0]).toMatchObject({
      outside: 1,
      firstCreatedTime: START,
      lastCreatedTime: START + 40 * DAY,
    });
    expect(receipt.ranges[1]).toMatchObject({ firstCreatedTime: null, lastCreatedTime: null });
    expect(receipt.spans).toEqual([
      { type: 'ORDERS', from: '2026-01-01T00:00:00Z', to: '2026-03-01T00:00:00Z' },
      { type: 'PAYMENTS', from: '2026-01-01T00:00:00Z', to: '2026-01-31T00:00:00Z' },
    ]);
    expect(receipt.totals.orders).toEqual([
      { currency: '?', objects: 1, total: 5 },
      { currency: 'EUR', objects: 1, total: -5 },
      { currency: 'USD', objects: 1, total: 1250 },
      { currency: '__proto____', objects: 1, total: 1 },
    ]);
    expect(
      receipt.totals.payments.map(({ currency, result, amount }) => [currency, result, amount]),
    ).toEqual([
      ['?', 'SUCCESS', 9],
      ['EUR', 'FAIL', 7],
      ['USD', 'SUCCESS', 1250],
      ['__proto____', '?', 0],
    ]);
    expect(receipt.months).toContainEqual({
      type: 'ORDERS',
      month: '2026-02',
      currency: '?',
      objects: 1,
      amount: 5,
    });
    expect(receipt.months).toContainEqual({
      type: 'PAYMENTS',
      month: '2026-01',
      currency: 'EUR',
      objects: 1,
      amount: 0,
    });
  });

  test('says what a pull was to cover, also where that is missing', async () => {
    const out = temporary();
    const journal = await Journal.open(
      { out, format: 'jsonl', gzip: false },
      headOf({ format: 'jsonl', gzip: false }),
    );
    onTestFinished(() => journal[Symbol.asyncDispose]());
    const receipt = makeReceipt(
      journal,
      new Map([['ORDERS', { startTime: START, endTime: START + 30 * DAY }]]),
      [MISSING],
    );
    expect(faults(receipt)).toEqual([]);
    expect(receipt).toMatchObject({
      complete: false,
      objects: 0,
      spans: [{ type: 'ORDERS', from: '2026-01-01T00:00:00Z', to: '2026-01-31T00:00:00Z' }],
      missing: [MISSING],
    });
  });
});
