import { lchown, lstat, mkdir, open, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Account } from './run.ts';

export async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return false;
    throw error;
  }
}

/** Reads a file; null when it is missing. */
export async function readIfExists(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null;
    throw error;
  }
}

export function hasCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}

/** A directory for PostgreSQL's user alone; refuses one that another user put there. */
export async function privateDirectory(path: string, account: Account): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const found = await lstat(path);
  // It is still root's when a start was killed before it handed the directory over.
  const isOurs = found.uid === account.uid || (account.drop && found.uid === 0);
  if (!found.isDirectory() || !isOurs) {
    throw new Error(`${path} is not a directory of user ${account.uid}: remove it and start again`);
  }
  if (account.drop) await lchown(path, account.uid, account.gid);
}

/** Removes what a process that was killed left half-made. */
export async function removeStaging(home: string): Promise<void> {
  await remove(join(home, 'new'));
}

/** Gives `make` an empty directory below home, for what gets its final name only once it is complete. */
export async function withStaging(
  home: string,
  make: (staging: string) => Promise<void>,
): Promise<void> {
  const staging = join(home, 'new');
  await mkdir(staging, { mode: 0o700 });
  try {
    await make(staging);
  } finally {
    await removeStaging(home);
  }
}

/** Retries, because PostgreSQL's log collector outlives the postmaster by a moment. */
export async function remove(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
}

/** Makes a rename in this directory survive a power cut. */
export async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path, 'r');
  await directory.sync();
}
