import { lchown, lstat, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Account } from './run.ts';

export function hasCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}

export async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(ignoreMissing)) !== null;
}

/** Reads a file; null when it is missing. */
export async function readIfExists(path: string): Promise<string | null> {
  return readFile(path, 'utf8').catch(ignoreMissing);
}

function ignoreMissing(error: unknown): null {
  if (hasCode(error, 'ENOENT', 'ENOTDIR')) return null;
  throw error;
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

/** Renames so that a power cut does not undo it. */
export async function renameDurably(from: string, to: string): Promise<void> {
  await rename(from, to);
  await using directory = await open(dirname(to), 'r');
  await directory.sync();
}
