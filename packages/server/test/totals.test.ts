import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ExportType } from '@tillroll/contract';
import { Totals } from '../src/source/totals.ts';

type Value = string | bigint | null;

/** The fields of a row for the totals, as PostgreSQL sends them, somewhere in a buffer. */
function encode(
  values: readonly Value[],
  before: number,
): { data: Buffer; fields: number; start: number } {
  const parts = values.map((value) => {
    if (value === null) return Buffer.from([0xff, 0xff, 0xff, 0xff]);
    const bytes = typeof value === 'string' ? Buffer.from(value) : Buffer.alloc(8);
    if (typeof value === 'bigint') bytes.writeBigInt64BE(value);
    const length = Buffer.alloc(4);
    length.writeInt32BE(bytes.length);
    return Buffer.concat([length, bytes]);
  });
  const data = Buffer.concat([Buffer.alloc(before, 7), ...parts, Buffer.alloc(4)]);
  return { data, fields: before, start: data.length };
}

const text = fc.option(fc.constantFrom('USD', 'EUR', 'usd', '', '€', 'SUCCESS'), { nil: null });
const amount = fc.option(
  fc.oneof(
    fc.bigInt({ min: -1000n, max: 1000n }),
    fc.bigInt({ min: -(2n ** 53n), max: 2n ** 53n }),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  ),
  { nil: null },
);

/** Computes the expected totals, by exact arithmetic. */
function computeExpected(type: ExportType, rows: readonly (readonly Value[])[]): unknown[] {
  const texts = type === 'ORDERS' ? 1 : 2;
  const names = type === 'ORDERS' ? ['total'] : ['amount', 'tipAmount', 'taxAmount'];
  const kinds = new Map<string, { key: Value[]; rows: (readonly Value[])[] }>();
  for (const row of rows) {
    const key = row.slice(0, texts);
    const kind = kinds.get(JSON.stringify(key)) ?? { key, rows: [] };
    kind.rows.push(row);
    kinds.set(JSON.stringify(key), kind);
  }
  return [...kinds.values()].map(({ key, rows: of }) => ({
    currency: key[0],
    ...(texts > 1 && { result: key[1] }),
    objects: of.length,
    ...Object.fromEntries(
      names.map((name, n) => [
        name,
        of.reduce((sum, row) => sum + ((row[texts + n] as bigint | null) ?? 0n), 0n),
      ]),
    ),
    unsummed: of.filter((row) => row[texts] === null).length,
  }));
}

/** JSON whose integers are bigints. */
function parseExact(json: string | null): { elements: unknown[] } {
  return JSON.parse(json ?? '', (name, value: unknown, { source }: { source?: string }) =>
    typeof value === 'number' && !['objects', 'unsummed'].includes(name) && source !== undefined
      ? BigInt(source)
      : value,
  ) as { elements: unknown[] };
}

describe.each(['ORDERS', 'PAYMENTS'] as const)('totals of %s', (type) => {
  const row: fc.Arbitrary<Value[]> =
    type === 'ORDERS' ? fc.tuple(text, amount) : fc.tuple(text, text, amount, amount, amount);

  test('are exact sums by currency and result', () => {
    fc.assert(
      fc.property(fc.array(row, { maxLength: 40 }), fc.nat({ max: 9 }), (rows, before) => {
        const totals = new Totals(type);
        for (const values of rows) totals.add(encode(values, before));
        const { elements } = parseExact(totals.toJson());
        expect(elements).toHaveLength(computeExpected(type, rows).length);
        expect(elements).toEqual(expect.arrayContaining(computeExpected(type, rows)));
      }),
      { numRuns: 500 },
    );
  });
});

describe('totals', () => {
  const order = (currency: string | null) => encode([currency, 1n], 0);

  test('are in order, what has no currency last', () => {
    const totals = new Totals('ORDERS');
    for (const currency of ['USD', null, 'EUR', 'usd', '']) totals.add(order(currency));
    const { elements } = parseExact(totals.toJson());
    expect(elements.map((each) => (each as { currency: string }).currency)).toEqual([
      '',
      'EUR',
      'USD',
      'usd',
      null,
    ]);
  });

  test('are none where a view has no columns for them', () => {
    const totals = new Totals('ORDERS');
    expect(totals.toJson()).toBe('{"elements":[]}');
    totals.add(encode([], 3));
    expect(totals.toJson()).toBeNull();
  });

  test('are none above a thousand kinds', () => {
    const totals = new Totals('ORDERS');
    for (let n = 0; n < 1000; n++) totals.add(order(`C${n}`));
    expect(parseExact(totals.toJson()).elements).toHaveLength(1000);
    totals.add(order('C5'));
    expect(totals.toJson()).not.toBeNull();
    totals.add(order('one more'));
    expect(totals.toJson()).toBeNull();
  });
});
