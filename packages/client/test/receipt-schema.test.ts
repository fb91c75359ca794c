import { describe, expect, test } from 'vitest';
import type {
  MonthTotals,
  OrderTotals,
  PaymentTotals,
  Receipt,
  ReceiptFile,
  ReceiptTable,
} from '../src/directory/receipt.ts';
import { type Schema, schema } from './receipt-schema.ts';

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

const findItems = (name: string): Schema | undefined => schema.properties?.[name]?.items;

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
    findItems('spans'),
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
    findItems('files'),
  ],
  [
    'a range',
    members<ReceiptFile['covers'][number]>({ startTime: true, endTime: true }),
    schema.$defs?.['range'],
  ],
  [
    'ReceiptTable',
    members<ReceiptTable>({ ...ON_DISK, table: true, rows: true }),
    findItems('tables'),
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
    findItems('months'),
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
    findItems('missing'),
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
