/** Checks of `doctor` on this machine: the disk, and the package for Parquet and DuckDB. */
import { mkdtemp, open, rename, rm, stat, statfs } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { TableMaker } from '@tillroll/client/files';
import { isExportError } from '../errors.ts';
import { byteSize } from '../format.ts';
import type { Check } from './check.ts';

/** A year of a busy merchant has less. */
const SCARCE_BYTES = 1_000_000_000;

/** Checks whether the package is installed that Parquet and DuckDB need. */
export async function checkDuckdb(tables: TableMaker): Promise<Check> {
  const name = 'DuckDB';
  try {
    await tables.require('duckdb');
    return { name, outcome: 'ok', message: 'installed' };
  } catch (error) {
    if (!isExportError(error)) throw error;
    // JSON lines and CSV work without it.
    return { name, outcome: 'warning', message: error.message, hint: error.hint };
  }
}

/** Checks that a directory can be written, and how much room there is. Leaves nothing behind. @param out may not exist yet. */
export async function checkDisk(out: string): Promise<Check> {
  const name = 'disk';
  try {
    const directory = await findExisting(resolve(out));
    await writeSomething(directory);
    const { bavail, bsize } = await statfs(directory);
    const free = bavail * bsize;
    const message = `${directory} can be written, ${byteSize(free)} free`;
    return free < SCARCE_BYTES
      ? { name, outcome: 'warning', message, hint: 'Free some space, or choose another --out' }
      : { name, outcome: 'ok', message };
  } catch (error) {
    const { message } = error as Error;
    return { name, outcome: 'failed', message, hint: 'Choose another directory with --out' };
  }
}

/** The directory, or the nearest one above it that exists. */
async function findExisting(path: string): Promise<string> {
  for (let at = path; ; at = dirname(at)) {
    const found = await stat(at).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' && at !== dirname(at)) return undefined;
      throw error;
    });
    if (found?.isDirectory()) return at;
    if (found) throw new Error(`${at} is not a directory`);
  }
}

/** Does what a pull does: writes, syncs and renames. */
async function writeSomething(directory: string): Promise<void> {
  const folder = await mkdtemp(join(directory, '.tillroll-doctor-'));
  try {
    const file = await open(join(folder, 'written'), 'wx', 0o600);
    try {
      await file.writeFile('tillroll\n');
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(join(folder, 'written'), join(folder, 'renamed'));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
