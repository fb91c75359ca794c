/** Installs of apps by merchants: recording, listing and revoking them, and authenticating their tokens. */
import type { Permission } from '@tillroll/contract';
import type { Pool, Queryable } from '../database/pool.ts';
import { write } from '../database/transaction.ts';
import * as sql from './sql.ts';
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

/** The reason why a token was refused: for the log, never for the caller. */
export type Refusal =
  | 'token missing'
  | 'token ambiguous'
  | 'token malformed'
  | 'token unknown'
  | 'token revoked'
  | 'token of another merchant'
  | 'permission missing';

export type Verdict = { ok: true; principal: Principal } | { ok: false; refusal: Refusal };

/** Records an install and returns its token, which cannot be read again. */
export async function install(
  pool: Pool,
  wanted: { merchantId: string; appId: string; permissions: readonly Permission[] },
): Promise<{ token: string; installId: string }> {
  const { token, installId, secretHash } = mintToken();
  const { merchantId, appId, permissions } = wanted;
  await write(pool, sql.insert, [installId, merchantId, appId, permissions, secretHash]);
  return { token, installId };
}

/** Deletes an install whose token nobody ever had. */
export async function deleteInstall(pool: Pool, installId: string): Promise<void> {
  await write(pool, sql.deleteOne, [installId]);
}

/** The installs of one merchant, or of all; oldest first. */
export async function listInstalls(
  database: Queryable,
  merchantId: string | null,
): Promise<Install[]> {
  return (await database.query<Install>(sql.list, [merchantId])).rows;
}

/** Revokes a merchant's tokens (of one app, or of all) and returns how many were still valid. */
export async function uninstall(
  pool: Pool,
  merchantId: string,
  appId: string | null,
): Promise<number> {
  return (await write(pool, sql.revoke, [merchantId, appId])).rowCount ?? 0;
}

/** Decides whether a token may act for a merchant, and with which permissions. */
export async function authenticate(
  database: Queryable,
  token: string,
  merchantId: string,
): Promise<Verdict> {
  const parts = parseToken(token);
  if (!parts) return { ok: false, refusal: 'token malformed' };
  const { rows } = await database.query<StoredInstall>(sql.read, [parts.installId]);
  return judge(parts.secret, rows[0] ?? null, merchantId);
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
