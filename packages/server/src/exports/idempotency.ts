/** Remembers the first answers to creates that carry an `Idempotency-Key` (wire contract, "More of create"). */
import { createHash } from 'node:crypto';
import { IDEMPOTENCY_MS } from '@tillroll/contract';
import type { Pool, Queryable } from '../database/pool.ts';
import { write } from '../database/transaction.ts';
import * as sql from './idempotency-sql.ts';

/** A create that may be sent twice. */
export interface KeyedRequest {
  readonly key: string;
  /** SHA-256 of the body as it was sent. */
  readonly bodyHash: Buffer;
}

/** The key was used with another body: 422. */
export class KeyReused extends Error {
  override name = 'KeyReused';
}

export function hashBody(body: Buffer): Buffer {
  return createHash('sha256').update(body).digest();
}

/**
 * Finds the first answer to this request, as it was sent; null when there is none.
 * @throws KeyReused
 */
export async function findReplay(
  database: Queryable,
  owner: { merchantId: string; appId: string },
  { key, bodyHash }: KeyedRequest,
): Promise<string | null> {
  const { rows } = await database.query<{ bodyHash: Buffer; answer: string }>(sql.find, [
    owner.merchantId,
    owner.appId,
    key,
    IDEMPOTENCY_MS,
  ]);
  const [row] = rows;
  if (!row) return null;
  if (!row.bodyHash.equals(bodyHash))
    throw new KeyReused(
      'this Idempotency-Key was used with another body in the last 24 hours; use a new key for a new request',
    );
  return row.answer;
}

/** Keeps an answer, in the transaction that creates its export. A key older than 24 h is used anew. */
export async function keepAnswer(
  database: Queryable,
  owner: { merchantId: string; appId: string },
  { key, bodyHash }: KeyedRequest,
  answer: string,
): Promise<void> {
  await database.query(sql.keep, [owner.merchantId, owner.appId, key, bodyHash, answer]);
}

/** Forgets the keys that are out of use. */
export async function forgetKeys(pool: Pool): Promise<void> {
  await write(pool, sql.forget, [IDEMPOTENCY_MS]);
}

/** Forgets a merchant's keys, whose answers may name its exports. */
export async function forgetKeysOf(pool: Pool, merchantId: string): Promise<void> {
  await write(pool, sql.forgetMerchant, [merchantId]);
}
