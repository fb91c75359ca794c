import type { ExportType } from '@tillroll/contract';
import { LAYOUTS, ROWS } from './layouts.ts';
import type { Lines } from './regular.ts';
import type { Shape } from './shape.ts';
import { OTHER, type Column, type Rows } from './tables.ts';

export const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`;
/** A path of the user's is no pattern. */
export const pattern = (path: string) => quoted(path.replaceAll(/[[*?]/g, '[$&]'));
const name = (text: string) => `"${text.replaceAll('"', '""')}"`;
const type = (column: Column) => (column.type === 'TIMESTAMP' ? 'BIGINT' : column.type);

/** The members of an object, for `STRUCT(...)`: what is not named is not read. */
function membersOf(shape: Shape, rows: Rows, outermost: boolean): [string, string][] {
  const members: [string, string][] = [];
  for (const [index, field] of shape.fields.entries()) {
    const key = shape.names[index] as string;
    if (field.kind === 'value') members.push([key, type(rows.columns[field.column] as Column)]);
    else if (field.kind === 'object') {
      const inner = struct(membersOf(field.shape, rows, false));
      if (inner !== '') members.push([key, inner]);
    } else if (field.kind === 'rows') {
      const list = (rows.lists[field.list] as Rows['lists'][number]).rows;
      members.push([key, `${struct(membersOf(field.shape, list, true))}[]`]);
    }
  }
  if (outermost) members.push([OTHER, 'VARCHAR']);
  return members;
}

function struct(members: [string, string][]): string {
  const list = members.map(([key, value]) => `${name(key)} ${value}`).join(', ');
  return list === '' ? '' : `STRUCT(${list})`;
}

/** Reads the objects of a range with exactly the documented types. */
function reader(lines: Lines, of: ExportType): string {
  const columns = membersOf(LAYOUTS[of].root, ROWS[of], true);
  const types = columns.map(([key, value]) => `${quoted(key)}: ${quoted(value)}`).join(', ');
  // A folder named `a=b` is no column.
  return `read_json(${pattern(lines.path)}, format = 'newline_delimited', auto_detect = false,
    hive_partitioning = false, compression = '${lines.gzip ? 'gzip' : 'uncompressed'}',
    maximum_object_size = ${lines.longest + 1}, columns = {${types}})`;
}

/** The columns of a row and the lists below it, each as `[name, expression]`. */
function fieldsOf({ columns, lists }: Rows, base: string, depth: number): [string, string][] {
  const member = (from: string) => base + from.split('.').map(name).join('.');
  const fields = columns.map((column): [string, string] => {
    const value = member(column.from);
    return [column.name, column.type === 'TIMESTAMP' ? `epoch_ms(${value})` : value];
  });
  for (const { from, name: list, rows } of lists) {
    const item = `x${depth}`;
    const inner = fieldsOf(rows, `${item}.`, depth + 1).map(([key, value]) => `${key} := ${value}`);
    const items = member(`${from}.elements`);
    fields.push([
      list,
      `coalesce(list_transform(${items}, lambda ${item}: struct_pack(${inner.join(', ')})), [])`,
    ]);
  }
  fields.push([OTHER, `CAST(${base}${OTHER} AS JSON)`]);
  return fields;
}

/** The objects of a range with the columns of the documentation, what is nested as lists. */
export function objectsOf(lines: Lines, of: ExportType): string {
  const fields = fieldsOf(ROWS[of], 'o.', 1).map(([key, value]) => `${value} AS ${key}`);
  return `SELECT ${fields.join(',\n')} FROM ${reader(lines, of)} AS o`;
}
