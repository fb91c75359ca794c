import type { ExportType } from '@tillroll/contract';
import type { Queryable } from '../database/pool.ts';
import type { ExportRecord } from './record.ts';
import * as sql from './sql.ts';

/** An export of this merchant and app, or null: another app's does not exist for the caller. */
export async function readExport(
  database: Queryable,
  owner: { merchantId: string; appId: string },
  exportId: string,
): Promise<ExportRecord | null> {
  const { rows } = await database.query<ExportRecord>(sql.readByInstall, [
    owner.merchantId,
    owner.appId,
    exportId,
  ]);
  return rows[0] ?? null;
}

/** An export by its id alone, for a caller whom a signed URL has authorised. */
export async function readSignedExport(
  database: Queryable,
  exportId: string,
): Promise<ExportRecord | null> {
  const { rows } = await database.query<ExportRecord>(sql.readById, [exportId]);
  return rows[0] ?? null;
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
