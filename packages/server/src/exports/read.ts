/** Reads exports and their files for the API. */
import type { ExportStatus, ExportType } from '@tillroll/contract';
import type { Queryable } from '../database/pool.ts';
import type { ExportRecord, ManifestFile } from './record.ts';
import * as sql from './sql.ts';

/** One file of an export, with what decides whether it may be downloaded. */
export type FileRecord = ManifestFile &
  Pick<
    ExportRecord,
    | 'merchantId'
    | 'appId'
    | 'status'
    | 'attempt'
    | 'availableUntil'
    | 'filesDeleted'
    | 'format'
    | 'now'
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

/** A page of a list of exports. What is null filters nothing. Times are epoch milliseconds. */
export interface ListPage {
  types: readonly ExportType[];
  status: ExportStatus | null;
  createdSince: number | null;
  createdBefore: number | null;
  limit: number;
  offset: number;
}

/** The exports of this merchant and app that are of one of `types`, newest first. */
export async function listExports(
  database: Queryable,
  owner: { merchantId: string; appId: string },
  page: ListPage,
): Promise<ExportRecord[]> {
  const { rows } = await database.query<ExportRecord>(sql.list, [
    owner.merchantId,
    owner.appId,
    page.types,
    page.limit,
    page.offset,
    page.status,
    page.createdSince,
    page.createdBefore,
  ]);
  return rows;
}

/** Objects a millisecond of the last exports that had many; null when there are none. */
export async function readPace(database: Queryable): Promise<number | null> {
  const { rows } = await database.query<{ pace: number | null }>(sql.readPace);
  return rows[0]?.pace ?? null;
}
