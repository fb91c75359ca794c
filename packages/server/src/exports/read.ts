/** Reads exports and their files for the API. */
import type { ExportType } from '@tillroll/contract';
import type { Queryable } from '../database/pool.ts';
import type { ExportRecord, ManifestFile } from './record.ts';
import * as sql from './sql.ts';

/** One file of an export, with what decides whether it may be downloaded. */
export type FileRecord = ManifestFile &
  Pick<
    ExportRecord,
    'merchantId' | 'appId' | 'status' | 'attempt' | 'availableUntil' | 'filesDeleted' | 'now'
  >;

/**
 * One file of an export by its position, for a caller whom a signed URL has authorised. Null when there
 * is no such file, or no longer.
 */
export async function readFile(
  database: Queryable,
  exportId: string,
  position: number,
): Promise<FileRecord | null> {
  const { rows } = await database.query<FileRecord>(sql.readFile, [exportId, position]);
  return rows[0] ?? null;
}

/** The last moment at which a file of a merchant (and app) can be downloaded; null when none can. */
export async function lastAvailable(
  database: Queryable,
  merchantId: string,
  appId: string | null,
): Promise<number | null> {
  const { rows } = await database.query<{ until: number | null }>(sql.lastAvailable, [
    merchantId,
    appId,
  ]);
  return rows[0]?.until ?? null;
}

/** The exports of this merchant and app that are of one of `types`, newest first. */
export async function listExports(
  database: Queryable,
  owner: { merchantId: string; appId: string },
  page: { types: readonly ExportType[]; limit: number; offset: number },
): Promise<ExportRecord[]> {
  const { rows } = await database.query<ExportRecord>(sql.list, [
    owner.merchantId,
    owner.appId,
    page.types,
    page.limit,
    page.offset,
  ]);
  return rows;
}
