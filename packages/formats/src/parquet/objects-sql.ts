/** The SQL with which DuckDB reads JSON lines as typed rows. */
import type { ExportType } from '@tillroll/contract';
import { choose } from '../columns.ts';
import { Nested } from '../nested.ts';
import { quote, quoteName, quotePattern } from '../quote.ts';
import { OTHER, ROWS } from '../tables.ts';
import type { Rows } from '../table-types.ts';
import type { ReadableLines } from './readable-lines.ts';

/** A name and a type or an expression. */
type Field = [name: string, sql: string];

/** The members of an object with their types: a member that is not named is not read. */
function describeMembers({ columns, lists }: Rows): Field[] {
  const object = new Nested<Field>();
  const add = (path: readonly string[], type: string) =>
    object.add(path.slice(0, -1), [path.at(-1) ?? '', type]);
  for (const { from, type } of columns)
    add(from.split('.'), type === 'TIMESTAMPTZ' ? 'BIGINT' : type);
  for (const { from, rows } of lists) add([from, 'elements'], `${struct(describeMembers(rows))}[]`);
  add([OTHER], 'VARCHAR');
  return listFields(object);
}

function listFields({ members, inner }: Nested<Field>): Field[] {
  return [...members, ...[...inner].map(([name, each]): Field => [name, struct(listFields(each))])];
}

function struct(fields: readonly Field[]): string {
  return `STRUCT(${fields.map(([name, type]) => `${quoteName(name)} ${type}`).join(', ')})`;
}

/** Reads the objects of a month with exactly the documented types. */
function readObjects({ path, gzip, longest }: ReadableLines, type: ExportType): string {
  const columns = describeMembers(ROWS[type]).map(([name, sql]) => `${quote(name)}: ${quote(sql)}`);
  // A folder named `a=b` is not a column.
  return `read_json(${quotePattern(path)}, format = 'newline_delimited', auto_detect = false,
    hive_partitioning = false, compression = '${gzip ? 'gzip' : 'uncompressed'}',
    maximum_object_size = ${longest + 1}, columns = {${columns.join(', ')}})`;
}

/** The columns of a row and the lists below it. @param object an expression. */
function selectRow({ columns, lists }: Rows, object: string, depth: number): Field[] {
  const member = (path: string) => [object, ...path.split('.').map(quoteName)].join('.');
  const fields = columns.map(({ name, from, type }): Field => [
    name,
    type === 'TIMESTAMPTZ' ? `make_timestamptz(${member(from)} * 1000)` : member(from),
  ]);
  for (const { from, name, rows } of lists) {
    const item = `x${depth}`;
    const inner = selectRow(rows, item, depth + 1).map(([key, sql]) => `${key} := ${sql}`);
    const items = `lambda ${item}: struct_pack(${inner.join(', ')})`;
    fields.push([name, `coalesce(list_transform(${member(`${from}.elements`)}, ${items}), [])`]);
  }
  fields.push([OTHER, `CAST(${object}.${OTHER} AS JSON)`]);
  return fields;
}

/**
 * The objects of a month with the columns of the documentation, what is nested as lists.
 * @param names of the chosen columns and lists, in their order; undefined: all.
 */
export function selectObjects(
  lines: ReadableLines,
  type: ExportType,
  names: readonly string[] | undefined,
): string {
  const all = selectRow(ROWS[type], 'o', 1).map(([name, sql]) => ({ name, sql }));
  const fields = choose(all, names).map(({ name, sql }) => `${sql} AS ${name}`);
  return `SELECT ${fields.join(',\n')} FROM ${readObjects(lines, type)} AS o`;
}
