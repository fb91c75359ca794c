import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { convert } from '../src/index.ts';
import { TABLES, listColumns } from '../src/tables.ts';
import type { Table } from '../src/table-types.ts';
import { makeConversion, query, findRange, temporary } from './formats-fixture.ts';
import { SAMPLE_ORDERS, SAMPLE_PAYMENTS } from './formats-sample.ts';

const docs = readFileSync(join(import.meta.dirname, '../../../docs/formats.md'), 'utf8');

/** The section of docs/formats.md about a table: when this test fails, put its output there. */
function writeSection(table: Table): string {
  const keys = table.primaryKey.join(', ');
  const lines = listColumns(table).map((column) => {
    const from = table.keys.includes(column) ? column.from : `\`${column.from}\``;
    return `| \`${column.name}\` | ${column.type} | ${from} | ${column.unit} |`;
  });
  return [
    `### ${table.name}`,
    '',
    `${table.comment}.${keys === '' ? '' : ` Key: ${keys}.`}`,
    '',
    '| column | type | from | unit |',
    '|---|---|---|---|',
    ...lines,
    '| `other` | JSON | members that no column holds | |',
    '',
  ].join('\n');
}

test.each(TABLES)('docs/formats.md describes every column of $name', (table) => {
  expect(docs).toContain(writeSection(table));
});

/** The SQL in a section of the documentation, one statement each. */
function queriesIn(section: string): string[] {
  const [, text = ''] = new RegExp(`\n## ${section}\n([^]*?)(?=\n## |$)`).exec(docs) ?? [];
  return [...text.matchAll(/```sql\n([^]*?)```/g)].flatMap(([, block = '']) =>
    block
      .split(';')
      .map((statement) => statement.trim())
      .filter(Boolean),
  );
}

const FLAT_WHITES = {
  id: 'FLATWHITES',
  createdTime: 1_767_225_600_000,
  lineItems: {
    elements: [
      {
        id: 'L1',
        name: 'Flat white',
        price: 400,
        unitQty: 2000,
        modifications: { elements: [{ name: 'Extra shot', amount: 75 }, { name: 'Hot' }] },
      },
    ],
  },
};

test('the queries in docs/formats.md give what they say', async () => {
  await using folder = await temporary();
  const months = [
    await findRange(folder.path, 'ORDERS', [...SAMPLE_ORDERS, FLAT_WHITES]),
    await findRange(folder.path, 'PAYMENTS', SAMPLE_PAYMENTS),
  ];
  for (const format of ['csv', 'parquet', 'duckdb'] as const)
    await convert(format, makeConversion(folder.path, months));
  // The folder's name is not a pattern, as it is in the documentation.
  const prefix = folder.path.replaceAll(/[[*?]/g, '[$&]').replaceAll("'", "''");
  const inFolder = (sql: string): string =>
    sql.replaceAll(/'((?:orders|payments)\/[^']*)'/g, (_, path: string) => `'${prefix}/${path}'`);
  const results = [];
  for (const [section, path, count] of [
    ['CSV', ':memory:', 1],
    ['Parquet', ':memory:', 1],
    ['DuckDB', join(folder.path, 'sales.duckdb'), 4],
  ] as const) {
    const queries = queriesIn(section);
    expect(queries, section).toHaveLength(count);
    for (const sql of queries) results.push(await query(path, inFolder(sql)));
  }
  const [orders, items, months_, days, tips] = results;
  // The price of a unit times 2.852 units; the gratuity is not an item.
  expect(items?.[0]).toMatchObject({ name: 'Jamón ibérico', sold: '1', revenue: 25665.148 });
  expect(items?.map(({ name }) => name)).not.toContain('Auto gratuity 18%');
  // Two of 4.00 with an extra of 0.75 each.
  expect(items?.find(({ name }) => name === 'Flat white')).toMatchObject({ revenue: 950 });
  expect(orders).toHaveLength(SAMPLE_ORDERS.length + 1);
  expect(months_).toMatchObject([{ paid: '12.6700', refunded: '10.4000', net: '2.2700' }]);
  expect(days).toMatchObject([
    { business_day: '2026-01-01', payments: '1', paid: '4.0600' },
    { business_day: '2026-01-07', payments: '1', paid: '8.6100' },
  ]);
  expect(tips).toMatchObject([{ card_type: 'MC' }, { card_type: null }]);
});
