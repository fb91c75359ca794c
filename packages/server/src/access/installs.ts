import type { Permission } from '@tillroll/contract';
import type { Pool, Queryable } from '../database/pool.ts';
import { write } from '../database/transaction.ts';
import { mintToken, parseToken, secretMatches } from './token.ts';

/** A merchant's consent to an app, as `installs` lists it. Times are epoch milliseconds. */
export interface Install {
  id: string;
  merchantId: string;
  appId: string;
  permissions: Permission[];
  createdTime: number;
  revokedTime: number | null;
}

/** An install as authentication reads it. */
export interface StoredInstall extends Omit<Install, 'createdTime'> {
  /** SHA-256 of the token's secret, hex. */
  secretHash: string;
}

/** The merchant and the app that a token speaks for. Every query is bound to both ids. */
export interface Principal {
  installId: string;
  merchantId: string;
  appId: string;
  permissions: ReadonlySet<Permission>;
}

/** Why a token was refused: for the log, never for the caller. */
export type Refusal =
  | 'token missing'
  | 'token ambiguous'
  | 'token malformed'
  | 'token unknown'
  | 'token revoked'
  | 'token of another merchant'
  | 'permission missing';

export type Verdict = { ok: true; principal: Principal } | { ok: false; refusal: Refusal };

const COLUMNS = `id, merchant_id AS "merchantId", app_id AS "appId", permissions,
  created_time AS "createdTime", revoked_time AS "revokedTime"`;

/** Records an install and returns its token, which cannot be read again. */
export async function install(
  pool: Pool,
  wanted: { merchantId: string; appId: string; permissions: readonly Permission[] },
): Promise<{ token: string; installId: string }> {
  const { token, installId, secretHash } = mintToken();
  await write(
    pool,
    `INSERT INTO tillroll.installs (id, merchant_id, app_id, permissions, secret_hash, created_time)
     VALUES ($1, $2, $3, $4, $5, tillroll.now_ms())`,
    [installId, wanted.merchantId, wanted.appId, wanted.permissions, secretHash],
  );
  return { token, installId };
}

/** Deletes an install whose token nobody ever had. */
export async function deleteInstall(pool: Pool, installId: string): Promise<void> {
  await write(pool, 'DELETE FROM tillroll.installs WHERE id = $1', [installId]);
}

/** The installs of one merchant, or of all; oldest first. */
export async function listInstalls(
  database: Queryable,
  merchantId: string | null,
): Promise<Install[]> {
  const result = await database.query<Install>(
    `SELECT ${COLUMNS} FROM tillroll.installs
     WHERE $1::text IS NULL OR merchant_id = $1 ORDER BY merchant_id, created_time, id`,
    [merchantId],
  );
  return result.rows;
}

/** Revokes a merchant's tokens (of one app, or of all) and returns how many were still valid. */
export async function uninstall(
  pool: Pool,
  merchantId: string,
  appId: string | null,
): Promise<number> {
  const result = await write(
    pool,
    `UPDATE tillroll.installs SET revoked_time = tillroll.now_ms()
     WHERE merchant_id = $1 AND ($2::text IS NULL OR app_id = $2) AND revoked_time IS NULL`,
    [merchantId, appId],
  );
  return result.rowCount ?? 0;
}

/** Decides whether a token may act for a merchant, and with which permissions. */
export async function authenticate(
  database: Queryable,
  token: string,
  merchantId: string,
): Promise<Verdict> {
  const parts = parseToken(token);
  if (!parts) return { ok: false, refusal: 'token malformed' };
  const result = await database.query<StoredInstall>(
    `SELECT ${COLUMNS}, encode(secret_hash, 'hex') AS "secretHash"
     FROM tillroll.installs WHERE id = $1`,
    [parts.installId],
  );
  return judge(parts.secret, result.rows[0] ?? null, merchantId);
}

/** Decides what the holder of a secret may do, given the install that the token names, if any. */
export function judge(secret: string, found: StoredInstall | null, merchantId: string): Verdict {
  if (!found || !secretMatches(secret, Buffer.from(found.secretHash, 'hex'))) {
    return { ok: false, refusal: 'token unknown' };
  }
  if (found.revokedTime !== null) return { ok: false, refusal: 'token revoked' };
  if (found.merchantId !== merchantId) return { ok: false, refusal: 'token of another merchant' };
  const { id, appId } = found;
  return {
    ok: true,
    principal: { installId: id, merchantId, appId, permissions: new Set(found.permissions) },
  };
}
