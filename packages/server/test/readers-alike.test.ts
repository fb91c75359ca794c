import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MEMBERS, type ExportType, type Member, type Members } from '@tillroll/contract';
import type { Members as Scanned } from '../../client/src/json/members.ts';
import { ObjectReader } from '../../client/src/json/object-reader.ts';
import {
  bothTables,
  makeConversion,
  query,
  findRange,
  temporary,
  type Tables,
} from '../../formats/test/formats-fixture.ts';
import { convert } from '../../formats/src/index.ts';
import { RowParser } from '../src/ingest/row.ts';

/**
 * The rule of loading: what it accepts, everyone reads alike. Objects with odd members go to the check;
 * of those that it accepts, JSON.parse, the client's scanner and all formats must say the same.
 */

const NOW = 1_790_000_000_000;
const T = 1_767_225_600_000;

/** Texts of JSON values, written in as many ways as JSON has. */
const VALUES = [
  '0',
  '-0',
  '1',
  '-1',
  '1250',
  '1250.0',
  '1.25e3',
  '125E1',
  '1.5',
  '1e400',
  '-5e-324',
  '9007199254740991',
  '9007199254740993',
  '18446744073709551616',
  '9'.repeat(400),
  '1767225601',
  '1767225601000',
  '1767225601000.0',
  '1767225601000000',
  '253402300799999',
  '253402300800000',
  'null',
  'true',
  'false',
  '""',
  '"x"',
  '"12"',
  '"USD"',
  '"\\u0055SD"',
  '"a\\u0000b"',
  '"\\ud83d\\ude00"',
  '"\\ud800"',
  '"\u2028"',
  '"caf\u00e9 \u{1f950}"',
  '"a,b\\r\\n\\"c\\""',
  '[]',
  '[1]',
  '{}',
  '{"id":7}',
  '{"elements":null}',
  '{"elements":[]}',
  '{"elements":[1]}',
  `${'['.repeat(498)}${']'.repeat(498)}`,
  `${'{"a":'.repeat(520)}1${'}'.repeat(520)}`,
];
const anyValue = fc.constantFrom(...VALUES);

function goodValue(member: Member): fc.Arbitrary<string> {
  if (typeof member === 'object')
    return 'object' in member
      ? objectText(member.object)
      : fc
          .array(objectText(member.elements), { maxLength: 3 })
          .map((elements) => `{"elements":[${elements.join(',')}]}`);
  switch (member) {
    case 'id':
    case 'text':
      return fc.string({ unit: 'grapheme', maxLength: 8 }).map((text) => JSON.stringify(text));
    case 'flag':
      return fc.constantFrom('true', 'false');
    case 'integer':
    case 'ratio':
      return fc.maxSafeInteger().map(String);
    case 'time':
      return fc.integer({ min: T, max: T + 1e9 }).map(String);
  }
}

/** A name as it is, or with its first letter as an escape. */
const named = (name: string): fc.Arbitrary<string> =>
  fc.boolean().map((plain) => {
    const code = name.charCodeAt(0).toString(16).padStart(4, '0');
    return plain ? `"${name}"` : `"\\u${code}${name.slice(1)}"`;
  });

/** Some known members, mostly good; now and then one that is odd, unknown, or there twice. */
function objectText(members: Members, odd = 150): fc.Arbitrary<string> {
  const known = Object.entries(members).map(([name, member]) =>
    fc.option(
      fc
        .tuple(
          named(name),
          fc.oneof(
            { weight: odd, arbitrary: goodValue(member) },
            { weight: 1, arbitrary: anyValue },
          ),
        )
        .map(([key, value]) => `${key}:${value}`),
    ),
  );
  const extra = fc.oneof(
    { weight: 9, arbitrary: fc.constant(null) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(
          fc.constantFrom('x', 'Id', 'TOTAL', 'other', '', '__proto__', ...Object.keys(members)),
          anyValue,
        )
        .map(([name, value]) => `${JSON.stringify(name)}:${value}`),
    },
  );
  return fc
    .tuple(fc.tuple(...known), extra)
    .map(([texts, more]) => [...texts, more].filter((text) => text !== null))
    .chain((texts) => fc.shuffledSubarray(texts, { minLength: texts.length }))
    .map((texts) => `{${texts.join(',')}}`);
}

/** Objects with an id and a time of their own; the rest is as it comes. */
function lines(type: ExportType): fc.Arbitrary<string> {
  const { id: _id, createdTime: _createdTime, ...rest } = MEMBERS[type];
  return objectText(rest);
}

type Parsed = Record<string, unknown>;

function scanned(text: string, layout: 'elements' | 'lines'): Scanned {
  let found: Scanned | undefined;
  const reader = new ObjectReader(layout, (_buffer, _start, _end, members) => {
    found = { ...members };
  });
  reader.push(Buffer.from(layout === 'elements' ? `{"elements":[${text}]}` : `${text}\n`));
  reader.end();
  if (!found) throw new Error('the client found no object');
  return found;
}

/** No -0: it is the same amount as 0. */
const readAmount = (value: unknown): unknown =>
  value === undefined ? null : typeof value === 'number' ? value + 0 : value;

/** The client's reading of an object. */
function expectClient(text: string, object: Parsed, type: ExportType): void {
  for (const layout of ['elements', 'lines'] as const) {
    const members = scanned(text, layout);
    expect(members.id).toBe(object['id']);
    expect(members.createdTime).toBe(object['createdTime']);
    expect(members.modifiedTime).toBe(object['modifiedTime'] ?? object['createdTime']);
    expect(members.currency).toBe(object['currency'] ?? null);
    const sums = type === 'ORDERS' ? ['total'] : ['amount', 'tipAmount', 'taxAmount'];
    for (const name of sums) {
      expect(members[name as 'total']).toBe(readAmount(object[name]));
    }
    if (type === 'PAYMENTS') expect(members.result).toBe(object['result'] ?? null);
  }
}

const cell = (value: unknown): string | null =>
  value === null || value === undefined ? null : String(value as number);
const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);
const elements = (object: Parsed, name: string): Parsed[] =>
  ((object[name] as { elements?: Parsed[] | null } | null | undefined)?.elements ?? []) as Parsed[];

/** Computes the expected table of a format, from the objects as JSON.parse reads them. */
function expectTables(tables: Tables, objects: readonly Parsed[], type: ExportType): void {
  const rows = tables[type === 'ORDERS' ? 'orders' : 'payments'] ?? [];
  const money =
    type === 'ORDERS'
      ? [['total', 'total']]
      : [
          ['amount', 'amount'],
          ['tip_amount', 'tipAmount'],
          ['tax_amount', 'taxAmount'],
          ['cash_tendered', 'cashTendered'],
        ];
  const pick = (row: Record<string, string | null>): unknown => [
    row['id'],
    row['created_time'],
    row['modified_time'],
    row['currency'],
    row['employee_id'],
    ...money.map(([column = '']) => row[column]),
  ];
  expect(rows.map(pick)).toEqual(
    objects.map((object) => [
      object['id'],
      cell(object['createdTime']),
      cell(object['modifiedTime']),
      text(object['currency']),
      text((object['employee'] as Parsed | null | undefined)?.['id']),
      ...money.map(([, member = '']) => cell(object[member])),
    ]),
  );
  if (type === 'ORDERS') {
    expect(
      (tables['line_items'] ?? []).map((row) => [
        row['order_id'],
        row['id'],
        row['price'],
        row['unit_qty'],
        row['created_time'],
      ]),
    ).toEqual(
      objects.flatMap((object) =>
        elements(object, 'lineItems').map((line) => [
          object['id'],
          text(line['id']),
          cell(line['price']),
          cell(line['unitQty']),
          cell(line['createdTime']),
        ]),
      ),
    );
  }
}

test.each(['ORDERS', 'PAYMENTS'] as const)(
  '%s',
  async (type) => {
    const accepted: string[] = [];
    let refused = 0;
    fc.assert(
      fc.property(lines(type), (members) => {
        const id = `R${accepted.length + refused}`;
        const comma = members === '{}' ? '' : ',';
        const line = `{"id":"${id}","createdTime":${T + accepted.length}${comma}${members.slice(1)}`;
        let row;
        try {
          row = new RowParser(type, NOW).parse({ number: 1, bytes: Buffer.from(line) });
        } catch {
          refused++;
          return;
        }
        const object = JSON.parse(line) as Parsed;
        expect([row.id, row.createdTime]).toEqual([object['id'], object['createdTime']]);
        expect(row.modifiedTime).toBe(object['modifiedTime'] ?? object['createdTime']);
        expectClient(line, object, type);
        accepted.push(line);
      }),
      { numRuns: 1500 },
    );
    expect(accepted.length).toBeGreaterThan(150);
    expect(refused).toBeGreaterThan(150);

    await using folder = await temporary();
    const range = await findRange(folder.path, type, accepted);
    const objects = accepted.map((line) => JSON.parse(line) as Parsed);
    const { csv, duckdb } = await bothTables(folder.path, [range]);
    expectTables(csv, objects, type);
    expectTables(duckdb, objects, type);
    await convert('parquet', makeConversion(folder.path, [range]));
    const name = type.toLowerCase();
    const [file = ''] = await readdir(join(folder.path, name));
    const money = type === 'ORDERS' ? 'total' : 'amount';
    const parquet = await query(
      ':memory:',
      `SELECT id, epoch_ms(created_time)::VARCHAR AS created, ${money}::VARCHAR AS money
     FROM '${join(folder.path, name, file).replaceAll("'", "''")}'`,
    );
    expect(parquet.map((row) => [row['id'], row['created'], row['money']])).toEqual(
      objects.map((object) => [object['id'], cell(object['createdTime']), cell(object[money])]),
    );
  },
  120_000,
);
