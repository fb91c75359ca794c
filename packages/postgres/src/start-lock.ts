import { closeSync, existsSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 25;
/** SQLite's result code for a file that another connection has locked. */
const SQLITE_BUSY = 5;

/**
 * Runs `work` while no other process creates, starts or stops the PostgreSQL of a data directory. The lock is SQLite's
 * on an empty file: the operating system releases it when its process ends, however that ends.
 * @throws the signal's reason while waiting; Error when the file cannot be locked.
 */
export async function withStartLock<T>(
  dataDir: string,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  const path = join(dataDir, 'postgres.lock');
  // For this user alone: a lock that another user holds would stop every start. A file that exists is left to SQLite:
  // closing any handle of it would release the locks that this process has on it.
  if (!existsSync(path)) closeSync(openSync(path, 'a', 0o600));
  // SQLite's own waiting would block the event loop.
  using lock = new DatabaseSync(path, { timeout: 0 });
  for (;;) {
    signal.throwIfAborted();
    if (tryToLock(lock)) return await work();
    await delay(POLL_MS);
  }
}

function tryToLock(lock: DatabaseSync): boolean {
  try {
    lock.exec('BEGIN EXCLUSIVE');
    return true;
  } catch (error) {
    if (error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY) return false;
    throw error;
  }
}
