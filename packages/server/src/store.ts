/** Makes sure that the store and the database belong together. */
import { randomUUID } from 'node:crypto';
import { LOCKS } from './database/locks.ts';
import type { Pool } from './database/pool.ts';
import { inTransaction } from './database/transaction.ts';
import {
  bindStoreIdentity,
  proposeStoreIdentity,
  readStoreIdentity,
} from './database/store-identity.ts';
import { StorageFull } from './storage/full.ts';
import type { Storage } from './storage/storage.ts';

/** Longest time of the store for an operation of milliseconds: a network mount can hang forever. */
const STORE_WAIT_MS = 5_000;

/** The storage is not the one in which the files of this database are. */
export class WrongStore extends Error {
  override name = 'WrongStore';
}

const NEW_STORE =
  'or run "tillroll-server migrate --new-store" to give up the files of finished exports and begin an empty store';

/**
 * Makes sure that the storage is the one of this database. On the first start, when neither knows of the
 * other, both get the same new id; several processes may start at once.
 * @returns the id.
 * @throws WrongStore with what to do, or the reason why the storage cannot be used.
 */
export async function bindStore(pool: Pool, storage: Storage): Promise<string> {
  const known = await readStoreIdentity(pool);
  if (known?.bound) {
    await verifyStore(storage, known.id);
    return known.id;
  }
  return inTransaction(pool, async (client) => {
    // Only holds the lock: what happens to the row below is committed at once, so that after a crash the
    // database knows which id the store may have.
    await client.query('SELECT pg_advisory_xact_lock($1)', [LOCKS.BIND_STORE]);
    return bindUnderLock(pool, storage);
  });
}

async function bindUnderLock(pool: Pool, storage: Storage): Promise<string> {
  const known = await readStoreIdentity(pool);
  if (known?.bound) {
    await verifyStore(storage, known.id);
    return known.id;
  }
  const found = await inTime(storage, storage.readIdentity());
  if (found !== null && found !== known?.id) {
    throw new WrongStore(
      `${storage.location} belongs to another database (store ${found}): choose an empty directory or prefix in TILLROLL_STORAGE_URL, or delete its tillroll-store.json if no database uses those files any more`,
    );
  }
  const id = found ?? randomUUID();
  if (found === null) {
    // A new id at each try: a file that a crashed process left in another directory does not match it.
    await proposeStoreIdentity(pool, id);
    if (!(await inTime(storage, storage.createIdentity(id)))) {
      throw new WrongStore(`${storage.location} was given to another database at this moment`);
    }
  }
  await bindStoreIdentity(pool, id);
  return id;
}

/**
 * Checks the store for a command that deletes files: compares the storage with the database's store, if it has one yet.
 * @throws WrongStore with what to do.
 */
export async function verifyBoundStore(pool: Pool, storage: Storage): Promise<void> {
  const known = await readStoreIdentity(pool);
  if (known?.bound) await verifyStore(storage, known.id);
}

/**
 * Compares the storage's id with that of the database's store. Writes nothing.
 * @throws WrongStore with what to do; the reason when the storage does not answer within 5 s.
 */
export function verifyStore(storage: Storage, id: string): Promise<void> {
  return inTime(storage, compareIdentity(storage, id));
}

async function compareIdentity(storage: Storage, id: string): Promise<void> {
  const found = await storage.readIdentity();
  if (found === id) return;
  if (found === null) {
    throw new WrongStore(
      `${storage.location} is not the store of this database, its tillroll-store.json is missing: mount the directory, or correct or restore the place of the files (TILLROLL_STORAGE_URL), ${NEW_STORE}`,
    );
  }
  throw new WrongStore(
    `${storage.location} is the store of another database (store ${found}, expected ${id}): correct TILLROLL_STORAGE_URL or DATABASE_URL, ${NEW_STORE}`,
  );
}

/** Checks that the store is there, is the right one, and can be written. */
export class StoreCheck {
  readonly #storage: Storage;
  readonly #id: string;
  readonly #minFreeBytes: number;
  #running: Promise<void> | null = null;
  /** @param minFreeBytes free space that must be left, where the store says how much there is. */
  constructor(storage: Storage, id: string, minFreeBytes: number) {
    this.#storage = storage;
    this.#id = id;
    this.#minFreeBytes = minFreeBytes;
  }

  /** @throws with the reason, after 5 s at the latest. */
  check(): Promise<void> {
    // One at a time: each call into a mount that hangs keeps one of libuv's few threads.
    this.#running ??= this.#check().finally(() => {
      this.#running = null;
    });
    return inTime(this.#storage, this.#running);
  }

  /** @throws StorageFull when less than the least free space is left; after 5 s when the store does not answer. */
  async checkRoom(): Promise<void> {
    const free = await inTime(this.#storage, this.#storage.readFreeBytes());
    if (free === null || free >= this.#minFreeBytes) return;
    throw new StorageFull(
      `the disk of ${this.#storage.location} has ${inMib(free)} free, and TILLROLL_MIN_FREE_DISK keeps ${inMib(this.#minFreeBytes)}: make room`,
    );
  }

  async #check(): Promise<void> {
    await compareIdentity(this.#storage, this.#id);
    await this.#storage.check();
  }
}

function inMib(bytes: number): string {
  return `${Math.floor(bytes / 1024 ** 2)} MiB`;
}

/** @throws when the storage does not answer in time. What it was asked continues, and its result is ignored. */
async function inTime<T>(storage: Storage, answer: Promise<T>): Promise<T> {
  answer.catch(() => undefined);
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new Error(`${storage.location} did not answer within ${STORE_WAIT_MS / 1000} s`)),
    STORE_WAIT_MS,
  );
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
