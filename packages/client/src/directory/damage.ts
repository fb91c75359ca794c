/** Finds files that were removed from a directory or cut off. */
import { join } from 'node:path';
import type { ExportType } from '@tillroll/contract';
import { DATABASE_FILE, idsPath, isTableFormat, linesPath, tablePath } from './layout.ts';
import { listMonths } from './make-receipt.ts';
import { findEntry } from '../disk/entries.ts';
import type { State } from './state.ts';

/** A file that was removed, or whose length changed. */
export interface Damage {
  /** Meaningless for `sales.duckdb`. */
  type: ExportType;
  /** Empty for `sales.duckdb`. */
  month: string;
  /** Relative: JSON lines, an id index, a table, or `sales.duckdb`. */
  path: string;
  /** True for JSON lines, which must be fetched again; anything else is made from them. */
  isLines: boolean;
}

/** Bytes of one id in an id index. */
const ID_BYTES = 8;

/** Finds the files of the state that are missing or have another length. Their content is not read. */
export async function findDamaged(out: string, state: State): Promise<Damage[]> {
  const { format } = state;
  const expected: (Damage & { bytes: number })[] = [];
  for (const [type, month, { lines, tables }] of listMonths(state)) {
    const of = { type, month };
    const [path, ids] = [linesPath(state, type, month), idsPath(state, type, month)];
    expected.push({ ...of, path, isLines: true, bytes: lines.bytes });
    expected.push({ ...of, path: ids, isLines: false, bytes: lines.objects * ID_BYTES });
    for (const { table, bytes } of isTableFormat(format) ? tables : [])
      expected.push({
        ...of,
        path: tablePath(format as 'csv', table, month),
        isLines: false,
        bytes,
      });
  }
  const [table] = state.database?.tables ?? [];
  const database = { type: 'ORDERS', month: '', path: DATABASE_FILE, isLines: false } as const;
  if (table) expected.push({ ...database, bytes: table.bytes });
  const damaged: Damage[] = [];
  for (const { bytes, ...damage } of expected) {
    const entry = await findEntry(join(out, ...damage.path.split('/')));
    if (!entry?.isFile() || entry.size !== bytes) damaged.push(damage);
  }
  return damaged;
}
