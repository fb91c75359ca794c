/** All names in an output directory. They are made from format, type, month and table, never from a server's words. */
import { join } from 'node:path';
import { EXPORT_TYPES, type ExportType } from '@tillroll/contract';

export const FORMATS = ['jsonl', 'csv', 'parquet', 'duckdb'] as const;
export type Format = (typeof FORMATS)[number];
/** A format whose tables are made from JSON lines. */
export type TableFormat = Exclude<Format, 'jsonl'>;

/** The pull's own folder. */
export const OWN = '.tillroll';
export const STATE = `${OWN}/state.json`;
export const LOCK = `${OWN}/lock`;
export const PARTS = `${OWN}/parts`;
export const STAGING = `${OWN}/staging`;
export const OBJECTS = `${OWN}/objects`;
export const IDS = `${OWN}/ids`;
export const RECEIPT_FILE = 'receipt.json';
export const CHECKSUMS_FILE = 'SHA256SUMS';
export const DATABASE_FILE = 'sales.duckdb';

/** `2026-01` */
export const MONTH = /^\d{4}-(0[1-9]|1[0-2])$/;
/** A table. */
export const TABLE = /^[a-z_]{1,64}$/;

/** A chosen column: `table.column`. */
export const COLUMN = /^[a-z_]{1,64}\.[a-z0-9_]{1,64}$/;

const NO_TABLES: Record<ExportType, readonly string[]> = { ORDERS: [], PAYMENTS: [] };

/** The tables that each month of a type has as files of their own. */
export const MONTH_TABLES: Record<Format, Record<ExportType, readonly string[]>> = {
  jsonl: NO_TABLES,
  csv: {
    ORDERS: [
      'orders',
      'line_items',
      'order_discounts',
      'line_item_modifications',
      'order_payments',
      'order_refunds',
    ],
    PAYMENTS: ['payments', 'payment_tax_rates', 'payment_refunds'],
  },
  parquet: { ORDERS: ['orders'], PAYMENTS: ['payments'] },
  duckdb: NO_TABLES,
};

/** Lists the tables that each month of a type has as files. @param columns chosen ones, `table.column`; null: all. */
export function listMonthTables(
  { format, columns }: { format: Format; columns: readonly string[] | null },
  type: ExportType,
): string[] {
  const all = MONTH_TABLES[format][type];
  return all.filter((table) => columns?.some((column) => column.startsWith(`${table}.`)) ?? true);
}

/** The folders of data, of all formats. */
export const DATA_FOLDERS: readonly string[] = EXPORT_TYPES.flatMap(
  (type) => MONTH_TABLES.csv[type],
);

/** The settings that the names in a directory depend on. */
export interface Layout {
  /** Absolute path of the directory. */
  out: string;
  format: Format;
  /** True when JSON lines are compressed. */
  gzip: boolean;
}
type Naming = Pick<Layout, 'format' | 'gzip'>;

export function isTableFormat(format: Format): format is TableFormat {
  return format !== 'jsonl';
}

/** Names a month of a type for people: `orders/2026-01`. */
export function monthName(type: ExportType, month: string): string {
  return `${type.toLowerCase()}/${requireMatch(month, MONTH)}`;
}

/** The JSON lines of a month, relative to the directory: published for `jsonl`, else behind the tables. */
export function linesPath({ format, gzip }: Naming, type: ExportType, month: string): string {
  const folder = isTableFormat(format) ? `${OBJECTS}/` : '';
  return `${folder}${monthName(type, month)}.jsonl${gzip ? '.gz' : ''}`;
}

/** The id index of a month's JSON lines, relative to the directory. */
export function idsPath(_naming: Naming, type: ExportType, month: string): string {
  return `${IDS}/${monthName(type, month)}.ids`;
}

/** The file of a table, relative to the directory. @param month not used for `duckdb`: one file holds all. */
export function tablePath(format: TableFormat, table: string, month: string): string {
  if (format === 'duckdb') return DATABASE_FILE;
  return `${requireMatch(table, TABLE)}/${requireMatch(month, MONTH)}.${format}`;
}

/** The folder of an export's raw files, relative to the directory. */
export function partsPath(exportId: string): string {
  return `${PARTS}/${exportId}`;
}

/** Tells whether a relative path is below the pull's own folder, which nobody else writes to. */
export function isOwnPath(path: string): boolean {
  return path.startsWith(`${OWN}/`);
}

/** Makes an absolute path. @param path relative, with `/`, as the functions above make it. */
export function absolutePath({ out }: Pick<Layout, 'out'>, path: string): string {
  return join(out, ...path.split('/'));
}

/** Returns a text that a pattern matches: texts are checked before, so anything else is a fault of the program. */
function requireMatch(text: string, pattern: RegExp): string {
  if (pattern.test(text)) return text;
  throw new TypeError(`not a part of a name: ${JSON.stringify(text)}`);
}

/** The meaning of a path. */
export type ParsedPath =
  | { kind: 'lines' | 'ids'; type: ExportType; month: string }
  | { kind: 'table'; type: ExportType; month: string; table: string }
  | { kind: 'database' | 'receipt' | 'checksums' };

/** Parses a relative path; undefined when the layout does not make it. */
export function parsePath(naming: Naming, path: string): ParsedPath | undefined {
  if (path === RECEIPT_FILE) return { kind: 'receipt' };
  if (path === CHECKSUMS_FILE) return { kind: 'checksums' };
  const { format } = naming;
  if (format === 'duckdb' && path === DATABASE_FILE) return { kind: 'database' };
  const month = /(?:^|\/)[a-z_]+\/(\d{4}-\d{2})\.[a-z.]+$/.exec(path)?.[1] ?? '';
  if (!MONTH.test(month)) return undefined;
  for (const type of EXPORT_TYPES) {
    if (path === linesPath(naming, type, month)) return { kind: 'lines', type, month };
    if (path === idsPath(naming, type, month)) return { kind: 'ids', type, month };
    if (!isTableFormat(format)) continue;
    for (const table of MONTH_TABLES[format][type])
      if (path === tablePath(format, table, month)) return { kind: 'table', type, month, table };
  }
  return undefined;
}
