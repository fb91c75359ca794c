/** Keeps the keys of receipts in the database, for services whose settings have none. */
import { LOCKS } from '../database/locks.ts';
import type { Pool, PoolClient, Queryable } from '../database/pool.ts';
import { inTransaction } from '../database/transaction.ts';
import { makeReceiptKey, parseReceiptKey, type ReceiptKey } from './keys.ts';
import * as sql from './sql.ts';

/** A key as `receipt-keys list` shows it. Times are epoch milliseconds. */
export interface StoredKey {
  id: string;
  createdTime: number;
  retiredTime: number | null;
}

interface KeyRow extends StoredKey {
  privateKey: string | null;
  publicKey: string;
}

/** All keys, the one that signs first. Makes the first one; of many processes that ask at once, one makes it. */
export async function readStoredKeys(pool: Pool): Promise<ReceiptKey[]> {
  const found = await pool.query<KeyRow>(sql.list);
  const rows = found.rows.length > 0 ? found.rows : await makeFirst(pool);
  return Promise.all(
    rows.map(({ privateKey, publicKey }) => parseReceiptKey(privateKey ?? publicKey)),
  );
}

export async function listStoredKeys(database: Queryable): Promise<StoredKey[]> {
  return (await database.query<KeyRow>(sql.list)).rows.map(({ id, createdTime, retiredTime }) => ({
    id,
    createdTime,
    retiredTime,
  }));
}

/** Retires the key that signs, and makes another one. The public part of the old key stays published. @returns its id. */
export async function rotateStoredKeys(pool: Pool): Promise<string> {
  return inTransaction(pool, async (client) => {
    await lock(client);
    await client.query(sql.retire);
    return insertNew(client);
  });
}

async function makeFirst(pool: Pool): Promise<KeyRow[]> {
  return inTransaction(pool, async (client) => {
    await lock(client);
    const { rows } = await client.query<KeyRow>(sql.list);
    if (rows.length > 0) return rows;
    await insertNew(client);
    return (await client.query<KeyRow>(sql.list)).rows;
  });
}

async function lock(client: PoolClient): Promise<void> {
  await client.query('SELECT pg_advisory_xact_lock($1)', [LOCKS.RECEIPT_KEYS]);
}

async function insertNew(client: PoolClient): Promise<string> {
  const { id, privateKey, publicKey } = await makeReceiptKey();
  await client.query(sql.insert, [
    id,
    privateKey?.export({ format: 'pem', type: 'pkcs8' }),
    publicKey.export({ format: 'pem', type: 'spki' }),
  ]);
  return id;
}
