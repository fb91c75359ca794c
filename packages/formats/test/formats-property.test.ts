import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ROWS } from '../src/tables.ts';
import type { Column, Rows } from '../src/table-types.ts';
import { convert } from '../src/index.ts';
import {
  bothTables,
  makeConversion,
  csvTables,
  findRange,
  temporary,
  type Json,
  type JsonObject,
  type Tables,
} from './formats-fixture.ts';

/** Names that no declaration has, names that nearly are one, and those that are, out of place. */
const name = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 6 }),
  fc.constantFrom(
    'other',
    'Id',
    'TOTAL',
    'elements',
    'id',
    'href',
    'lineItems',
    'created_time',
    'a"b',
  ),
);
const anything = fc.jsonValue({ maxDepth: 3, noUnicodeString: false }) as fc.Arbitrary<Json>;

function goodValue({ type }: Column): fc.Arbitrary<Json> {
  switch (type) {
    case 'VARCHAR':
      return fc.oneof(
        fc.string({ unit: 'grapheme' }),
        fc.constantFrom('', '"', 'a\r\nb', ',', 'é'),
      );
    case 'BIGINT':
      return fc.maxSafeInteger();
    case 'BOOLEAN':
      return fc.boolean();
    case 'TIMESTAMPTZ':
      return fc.integer({ min: -62_167_219_200_000, max: 253_402_300_799_999 });
  }
}

function put(object: JsonObject, path: string[], value: Json): void {
  const [first = '', ...rest] = path;
  if (rest.length === 0) object[first] = value;
  else {
    const inner = (object[first] ??= {});
    if (isObject(inner)) put(inner, rest, value);
  }
}

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** An object of a declaration: some members right, some of any kind, some unknown, at every level. */
function objects(rows: Rows, depth = 0): fc.Arbitrary<JsonObject> {
  const paths = [
    ...rows.columns.map(({ from }) => from),
    ...rows.parents.map(({ from }) => from),
    ...rows.lists.map(({ from }) => `${from}.elements`),
  ].map((path) => path.split('.'));
  const values = [
    ...rows.columns.map((column, index) =>
      fc.oneof(
        { weight: 6, arbitrary: goodValue(column) },
        // An id that references name.
        { weight: index === 0 ? 6 : 0, arbitrary: fc.constant<Json>('OUTER') },
        { weight: 1, arbitrary: anything },
      ),
    ),
    ...rows.parents.map(() =>
      fc.oneof(fc.constant<Json>('ROOT'), fc.constant<Json>('OUTER'), anything),
    ),
    ...rows.lists.map((list) =>
      fc.oneof(
        { weight: 6, arbitrary: fc.array(objects(list.rows, depth + 1), { maxLength: 3 }) },
        { weight: 1, arbitrary: anything },
      ),
    ),
  ] as fc.Arbitrary<Json>[];
  const wrappers = [...new Set(paths.filter((path) => path.length > 1).map(([first]) => first))];
  return fc
    .record({
      members: fc.tuple(...values.map((value) => fc.option(value, { nil: undefined }))),
      extra: fc.array(fc.tuple(name, anything), { maxLength: 2 }),
      inner: fc.array(fc.tuple(fc.constantFrom(...wrappers, ''), name, anything), { maxLength: 2 }),
      replaced: fc.array(fc.tuple(fc.constantFrom(...wrappers, ''), anything), { maxLength: 1 }),
    })
    .map(({ members, extra, inner, replaced }) => {
      const object: JsonObject = {};
      for (const [key, value] of extra) put(object, [key], value);
      for (const [index, value] of members.entries()) {
        if (value !== undefined) put(object, paths[index] as string[], value);
      }
      for (const [wrapper, key, value] of inner) {
        if (wrapper && !(isObject(object[wrapper]) && key in object[wrapper])) {
          put(object, [wrapper, key], value);
        }
      }
      for (const [wrapper, value] of replaced) if (wrapper) object[wrapper] = value;
      return object;
    });
}

/**
 * Cases that the documentation calls indistinguishable: a documented member that is null and one that is
 * not there, a collection that is empty, and a reference to the object it stands in.
 */
function pruned(
  source: JsonObject,
  rows: Rows,
  outer: readonly (string | undefined)[],
): JsonObject {
  const object = structuredClone(source);
  const drop = (path: string[], unwanted: (value: Json) => boolean, within = object): void => {
    const [first = '', ...rest] = path;
    const value = within[first];
    if (value === undefined) return;
    if (rest.length === 0 ? unwanted(value) : value === null) delete within[first];
    else if (rest.length > 0 && isObject(value)) {
      drop(rest, unwanted, value);
      if (Object.keys(value).length === 0) delete within[first];
    }
  };
  for (const { from } of rows.columns) drop(from.split('.'), (value) => value === null);
  for (const { from, level } of rows.parents) {
    const id = outer[level];
    drop(from.split('.'), (value) => value === null || (id !== undefined && value === id));
  }
  for (const { from, rows: inner } of rows.lists) {
    const wrapper = object[from];
    const elements = isObject(wrapper) ? wrapper.elements : undefined;
    if (isObject(wrapper) && Array.isArray(elements) && elements.every(isObject)) {
      wrapper.elements = elements.map((element) =>
        pruned(element, inner, [...outer, readId(source)]),
      );
    }
    drop(
      [from, 'elements'],
      (value) => value === null || (Array.isArray(value) && value.length === 0),
    );
  }
  return object;
}

/** An id that a reference can name: a text. */
function readId({ id }: JsonObject): string | undefined {
  return typeof id === 'string' ? id : undefined;
}

function merge(into: JsonObject, from: JsonObject): void {
  for (const [key, value] of Object.entries(from)) {
    const there = into[key];
    if (isObject(there) && isObject(value)) merge(there, value);
    else into[key] = value;
  }
}

type Cells = Record<string, string | null>;

function rebuilt(cells: Cells, columns: readonly Column[]): JsonObject {
  const object: JsonObject = {};
  for (const { name: column, type, from } of columns) {
    const cell = cells[column] ?? null;
    if (cell === null) continue;
    put(object, from.split('.'), type === 'VARCHAR' ? cell : (JSON.parse(cell) as Json));
  }
  return object;
}

const LINE_ITEM_TABLES: Record<string, string> = {
  discounts: 'order_discounts',
  modifications: 'line_item_modifications',
};

/** The objects, from nothing but the tables. */
function rebuiltAll(tables: Tables, type: 'ORDERS' | 'PAYMENTS'): JsonObject[] {
  const key = type === 'ORDERS' ? 'order_id' : 'payment_id';
  const source = type === 'ORDERS' ? 'order' : 'payment';
  const tableByMember: Record<string, string> =
    type === 'ORDERS'
      ? {
          line_items: 'line_items',
          discounts: 'order_discounts',
          payments: 'order_payments',
          refunds: 'order_refunds',
        }
      : { tax_rates: 'payment_tax_rates', refunds: 'payment_refunds' };
  const finish = (cells: Cells, object: JsonObject): JsonObject => {
    const { other } = cells;
    if (typeof other === 'string') merge(object, JSON.parse(other) as JsonObject);
    return object;
  };
  return (tables[type.toLowerCase()] ?? []).map((cells) => {
    const object = rebuilt(cells, ROWS[type].columns);
    for (const { name: list, from, rows } of ROWS[type].lists) {
      const all = (tables[tableByMember[list] as string] ?? []).filter(
        (row) => row[key] === cells.id && (row.source ?? source) === source,
      );
      const mine = all.filter((row) => (row.line_item_position ?? null) === null);
      const elements = mine.map((row) => {
        const element = rebuilt(row, rows.columns);
        for (const { from: inner, rows: below } of rows.lists) {
          const inLine = (tables[LINE_ITEM_TABLES[inner] as string] ?? [])
            .filter(
              (each) => each.order_id === cells.id && each.line_item_position === row.position,
            )
            .map((each) => finish(each, rebuilt(each, below.columns)));
          if (inLine.length > 0) put(element, [inner, 'elements'], inLine);
        }
        return finish(row, element);
      });
      if (elements.length > 0) put(object, [from, 'elements'], elements);
    }
    return finish(cells, object);
  });
}

/** Ids that are there and that no other has, as the service guarantees; and refunds' ids, too. */
function identified(list: readonly JsonObject[], type: 'ORDERS' | 'PAYMENTS'): JsonObject[] {
  let next = 0;
  return list.map((object, index) => {
    // The id first: a reference to it can then be recognised.
    const all: JsonObject = { id: `${type}${index}`, ...object };
    all.id = `${type}${index}`;
    all.createdTime = index;
    const text = JSON.stringify(all).replaceAll('"ROOT"', JSON.stringify(all.id));
    const copy = JSON.parse(text) as JsonObject;
    const { refunds } = copy;
    if (isObject(refunds) && Array.isArray(refunds.elements)) {
      for (const refund of refunds.elements) if (isObject(refund)) refund.id = `${type}R${next++}`;
    }
    return copy;
  });
}

function check(tables: Tables, orders: JsonObject[], payments: JsonObject[]): void {
  const expected = (list: JsonObject[], type: 'ORDERS' | 'PAYMENTS') =>
    list.map((object) => pruned(object, ROWS[type], []));
  expect(rebuiltAll(tables, 'ORDERS')).toEqual(expected(orders, 'ORDERS'));
  expect(rebuiltAll(tables, 'PAYMENTS')).toEqual(expected(payments, 'PAYMENTS'));
}

const some = (type: 'ORDERS' | 'PAYMENTS', maxLength: number) =>
  fc.array(objects(ROWS[type]), { maxLength }).map((list) => identified(list, type));

test('CSV: columns and other hold all of every object', async () => {
  await using folder = await temporary();
  const property = fc.asyncProperty(
    some('ORDERS', 4),
    some('PAYMENTS', 4),
    async (orders, payments) => {
      const ranges = [
        await findRange(folder.path, 'ORDERS', orders),
        await findRange(folder.path, 'PAYMENTS', payments),
      ];
      await convert('csv', makeConversion(folder.path, ranges));
      check(await csvTables(folder.path), orders, payments);
    },
  );
  await fc.assert(property, { numRuns: 200 });
}, 120_000);

test('DuckDB: the same rows as CSV, of usual and unusual lines', async () => {
  const property = fc.asyncProperty(
    some('ORDERS', 12),
    some('PAYMENTS', 12),
    async (orders, payments) => {
      await using folder = await temporary();
      const { csv, duckdb } = await bothTables(folder.path, [
        await findRange(folder.path, 'ORDERS', [...orders, { id: 'usual', createdTime: 1 }]),
        await findRange(folder.path, 'PAYMENTS', payments, { gzip: true }),
      ]);
      expect(duckdb).toEqual(csv);
      duckdb.orders?.pop();
      check(duckdb, orders, payments);
    },
  );
  await fc.assert(property, { numRuns: 15 });
}, 120_000);
