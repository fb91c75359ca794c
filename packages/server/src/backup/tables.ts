/** Which tables a backup holds, and their columns. */
import type { Queryable } from '../database/pool.ts';

/** Tables whose rows a backup holds, in an order in which rows come after those that they refer to. */
export const SAVED_TABLES = [
  'store',
  'signing_key',
  'installs',
  'purges',
  'exports',
  'export_files',
  'idempotency_keys',
  'change_heads',
  'loads',
  'tombstones',
  'receipt_keys',
  'orders',
  'payments',
] as const;

/** Tables whose rows it does not hold, each with the reason. */
export const UNSAVED_TABLES = {
  schema_version: 'the header has the version; restoring migrates to it',
  schema_compatibility: 'it follows from the migrations',
  processes: 'who runs at the moment of the backup',
} as const;

/** A table as it is saved. */
export interface SavedTable {
  readonly name: string;
  readonly columns: readonly string[];
}

/** Names of tables and columns that may stand in a statement as they are. */
const NAME = /^[a-z_][a-z0-9_]{0,62}$/;

export function isName(text: string): boolean {
  return NAME.test(text);
}

/** @throws when it is anything but the name of a table or a column. */
export function checkName(name: string): string {
  if (isName(name)) return name;
  throw new Error(`${JSON.stringify(name.slice(0, 80))} is not the name of a table or a column`);
}

/** A table of ours, ready for a statement. */
export function qualify(name: string): string {
  return `tillroll.${checkName(name)}`;
}

/** The columns of a table, ready for a statement. */
export function listColumns({ columns }: SavedTable): string {
  return columns.map((column) => `"${checkName(column)}"`).join(', ');
}

/** A relation of the schema: `r` is a table, `p` a partitioned one, `v` a view. */
export interface Relation {
  readonly name: string;
  readonly kind: string;
}

/** Which of the tables that are saved exist, and what they are: a platform may have put views in their places. */
export async function readRelations(database: Queryable): Promise<Relation[]> {
  const { rows } = await database.query<Relation>(
    `SELECT relname AS name, relkind AS kind FROM pg_class
     WHERE relnamespace = 'tillroll'::regnamespace AND relname = ANY ($1)`,
    [SAVED_TABLES],
  );
  return SAVED_TABLES.flatMap((name) => rows.find((row) => row.name === name) ?? []);
}

export function isTable({ kind }: Relation): boolean {
  return kind === 'r' || kind === 'p';
}

/** The columns of a table that hold what was written, in their order. */
export async function readColumns(database: Queryable, name: string): Promise<string[]> {
  const { rows } = await database.query<{ name: string }>(
    `SELECT attname AS name FROM pg_attribute
     WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
     ORDER BY attnum`,
    [qualify(name)],
  );
  return rows.map((row) => row.name);
}
