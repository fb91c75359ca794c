/** Chooses columns: checks the names that a user gave, and finds their tables. */
import { ExportError } from '@tillroll/client';
import type { TableFormat } from '@tillroll/client/files';
import { listColumns, OTHER, ROWS, TABLES } from './tables.ts';
import type { Column } from './table-types.ts';

/** A name that `table.column` may have: the table's columns, in Parquet its lists, and `other`. */
interface Choosable {
  name: string;
  /** Path of the member, by which users of the API know it. */
  from: string;
}

const TYPES = { orders: 'ORDERS', payments: 'PAYMENTS' } as const;

/** The names that can be chosen, by table. In Parquet, `orders` and `payments` are the tables, and the others are lists in them. */
function listChoosable(format: TableFormat): Map<string, readonly Choosable[]> {
  const other = { name: OTHER, from: OTHER };
  if (format === 'csv')
    return new Map(TABLES.map((table) => [table.name, [...listColumns(table), other]]));
  return new Map(
    Object.entries(TYPES).map(([table, type]) => [
      table,
      [...ROWS[type].columns, ...ROWS[type].lists, other],
    ]),
  );
}

/**
 * Checks chosen columns, and names each with its table. A column without a table is one of orders and payments.
 * @param columns `column`, `table.column` or `table.*`.
 * @returns `table.column`, in the order of `columns`.
 * @throws ExportError USAGE
 */
export function resolveColumns(format: TableFormat, columns: readonly string[]): string[] {
  const choosable = listChoosable(format);
  const resolved = columns.flatMap((text) => resolve(text.trim(), choosable));
  const twice = resolved.find((name, index) => resolved.indexOf(name) !== index);
  if (twice !== undefined) throw columnsError(`must name each column once; got ${twice} twice`);
  if (resolved.length === 0) throw columnsError('must name columns; got none');
  return resolved;
}

function resolve(text: string, choosable: ReadonlyMap<string, readonly Choosable[]>): string[] {
  const point = text.indexOf('.');
  const table = text.slice(0, Math.max(0, point));
  const column = text.slice(point + 1);
  const columnsOfTable = choosable.get(table);
  if (columnsOfTable && column === '*') return columnsOfTable.map(({ name }) => `${table}.${name}`);
  const tables = columnsOfTable ? [table] : Object.keys(TYPES);
  const names = columnsOfTable ? column : text;
  const found = tables.filter((each) => choosable.get(each)?.some(({ name }) => name === names));
  if (found.length > 0) return found.map((each) => `${each}.${names}`);
  throw unknownError(text, names, tables, choosable);
}

function unknownError(
  text: string,
  column: string,
  tables: readonly string[],
  choosable: ReadonlyMap<string, readonly Choosable[]>,
): ExportError {
  const simplified = (name: string): string => name.replaceAll(/[^a-z0-9]/gi, '').toLowerCase();
  const all = tables.flatMap((table) =>
    (choosable.get(table) ?? []).map(({ name, from }) => ({ table, name, from })),
  );
  const near = all.find(({ name, from }) =>
    [name, from].some((each) => simplified(each) === simplified(column)),
  );
  const isTable = tables.length === 1;
  const hint = near
    ? `Write ${isTable ? `${near.table}.` : ''}${near.name}`
    : isTable
      ? `Its columns: ${all.map(({ name }) => name).join(', ')}`
      : `Write table.column. Tables: ${[...choosable.keys()].join(', ')}; docs/formats.md has their columns`;
  return columnsError(`must name columns; got ${JSON.stringify(text)}`, hint);
}

function columnsError(detail: string, hint?: string): ExportError {
  return new ExportError('USAGE', detail, { option: 'columns', hint });
}

/**
 * The names of the chosen columns of a table, in their order.
 * @param columns `table.column`; null: all. @returns undefined for all.
 */
export function chosenNames(
  columns: readonly string[] | null,
  table: string,
): readonly string[] | undefined {
  const prefix = `${table}.`;
  return columns
    ?.filter((column) => column.startsWith(prefix))
    .map((column) => column.slice(prefix.length));
}

/** Selects the chosen ones of things with names, in the order of the choice. @param names undefined: all. */
export function choose<T extends Pick<Column, 'name'>>(
  all: readonly T[],
  names: readonly string[] | undefined,
): readonly T[] {
  return names ? names.flatMap((name) => all.filter((each) => each.name === name)) : all;
}
