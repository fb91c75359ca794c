import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { TABLES, columnsOf, type Table } from '../src/tables.ts';

const docs = readFileSync(join(import.meta.dirname, '../../../docs/formats.md'), 'utf8');

/** What docs/formats.md says about a table: when this test fails, put its output there. */
function sectionOf(table: Table): string {
  const keys = table.primaryKey.join(', ');
  const lines = columnsOf(table).map((column) => {
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
  expect(docs).toContain(sectionOf(table));
});
