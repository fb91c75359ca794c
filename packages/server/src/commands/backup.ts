/** The operator's commands `backup` and `restore`. */
import { randomUUID } from 'node:crypto';
import { open, rename, rm, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { Writable } from 'node:stream';
import { BadArchive } from '../backup/archive.ts';
import type { TableProof } from '../backup/document.ts';
import { restoreDatabase } from '../backup/restore.ts';
import { saveDatabase, type Saved } from '../backup/save.ts';
import type { Config } from '../config/settings.ts';
import type { Pool } from '../database/pool.ts';
import { readStoreIdentity } from '../database/store-identity.ts';
import { oneLine } from '../errors.ts';
import { giveUpMissingFiles } from '../exports/restored.ts';
import { BossQueue } from '../queue/boss-queue.ts';
import { openStorage } from '../storage/open.ts';
import { verifyStore } from '../store.ts';
import { count, formatBytes } from './format.ts';
import { print } from './print.ts';
import { UsageError, withAnySchema } from './run.ts';

/** stdin or stdout in the place of a file. */
const STANDARD = '-';
const READ_BYTES = 512 * 1024;

export async function backupCommand(file: string, signal: AbortSignal): Promise<void> {
  if (file === STANDARD) {
    if (process.stdout.isTTY)
      throw new UsageError('- writes to stdout: lead it to a file or a pipe');
    await withAnySchema(signal, ({ pool }) => saveToStdout(pool, signal));
    return;
  }
  const path = resolve(file);
  await refuseDirectory(path);
  const saved = await withAnySchema(signal, ({ pool }) =>
    writeWhole(path, signal, (out) => saveDatabase(pool, out, signal)),
  );
  await print(`${describe(saved)}, ${formatBytes((await stat(path)).size)}: ${path}\n`);
}

async function saveToStdout(pool: Pool, signal: AbortSignal): Promise<void> {
  await saveDatabase(pool, process.stdout, signal).catch((cause: unknown) => {
    signal.throwIfAborted();
    throw new Error('the backup is not whole', { cause });
  });
}

async function refuseDirectory(path: string): Promise<void> {
  const found = await stat(path).catch(() => null);
  if (found?.isDirectory()) throw new UsageError(`${path} is a directory: name a file`);
}

/** Writes a file that is there as a whole or not at all. One that is replaced stays until the new one is whole. */
async function writeWhole<T>(
  path: string,
  signal: AbortSignal,
  write: (out: Writable) => Promise<T>,
): Promise<T> {
  const draft = `${path}.${randomUUID()}.partial`;
  // It holds the signing key and all orders: nobody else reads it.
  const out = (await open(draft, 'wx', 0o600)).createWriteStream({ flush: true });
  const closed = new Promise<void>((resolveClosed) => {
    out.once('close', resolveClosed);
  });
  try {
    const result = await write(out);
    await closed;
    signal.throwIfAborted();
    await rename(draft, path);
    await syncDirectory(dirname(path));
    return result;
  } catch (error) {
    out.destroy();
    await closed;
    await rm(draft, { force: true });
    throw error;
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function describe({ header, tables }: Saved): string {
  const left =
    header.views.length === 0
      ? ''
      : `, without the rows of ${header.views.join(' and ')}, which ${header.views.length === 1 ? 'is a view' : 'are views'}`;
  return `${countRows(tables)} as of ${header.time}${left}`;
}

function countRows(tables: readonly TableProof[]): string {
  const rows = tables.reduce((sum, table) => sum + table.rows, 0);
  return `${count(rows, 'row')} of ${count(tables.length, 'table')}`;
}

export async function restoreCommand(file: string, signal: AbortSignal): Promise<void> {
  const name = file === STANDARD ? 'stdin' : resolve(file);
  if (file !== STANDARD) await refuseDirectory(name);
  await withAnySchema(signal, async ({ connection, pool, location }, config) => {
    const source =
      file === STANDARD
        ? process.stdin
        : (await open(name)).createReadStream({ highWaterMark: READ_BYTES });
    const queue = await BossQueue.open(connection, { works: false, onError: () => undefined });
    try {
      const restored = await restoreDatabase(pool, queue, source, signal).catch(
        (error: unknown) => {
          if (!(error instanceof BadArchive)) throw error;
          throw new Error(`${name} cannot be restored, and nothing was changed`, { cause: error });
        },
      );
      const { tables, header, released } = restored;
      await print(
        `${countRows(tables)} as of ${header.time} restored; ${count(released, 'open export')} will start again\n${await reconcileStore(pool, config)}\n${location}\n`,
      );
    } finally {
      await queue.close(1000);
    }
  });
}

/** Compares finished exports with the store, where it is the one of the database. @returns what came of it, or what to do. */
async function reconcileStore(pool: Pool, config: Config): Promise<string> {
  const known = await readStoreIdentity(pool);
  if (!known?.bound) return 'the database had no store yet: the first start makes one';
  const { storage } = await openStorage(config.storage);
  try {
    await verifyStore(storage, known.id);
  } catch (error) {
    return `the files were not compared: ${oneLine(error)}`;
  }
  const stored = [];
  for await (const attempt of storage.listAttempts()) stored.push(attempt);
  const missing = await giveUpMissingFiles(pool, stored);
  return missing === 0
    ? 'the files of all finished exports are in the store'
    : `${count(missing, 'finished export')} read as expired: the files are not in the store`;
}
