import { chmod, lchown, lstat, mkdir, open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Account } from './account.ts';

const STAGING = 'new';

export async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return false;
    throw error;
  }
}

export function hasCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}

/** A directory for PostgreSQL's user alone; refuses one that another user put there. */
export async function privateDirectory(path: string, account: Account): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
  }
  const found = await lstat(path).catch((error: unknown) => {
    // A process that has just stopped PostgreSQL removed it.
    if (hasCode(error, 'ENOENT')) return null;
    throw error;
  });
  if (found === null) return await privateDirectory(path, account);
  // Ours still belongs to root between another starter's mkdir and its chown.
  const ours = found.uid === account.uid || (account.drop && found.uid === 0);
  if (!found.isDirectory() || !ours) {
    throw new Error(
      `${path} should be a directory of user ${account.uid} but is ${
        found.isDirectory() ? `a directory of user ${found.uid}` : 'not a directory'
      }: remove it and start again`,
    );
  }
  if (account.drop && found.uid !== account.uid) await lchown(path, account.uid, account.gid);
  if ((found.mode & 0o777) !== 0o700) await chmod(path, 0o700);
}

/** Removes what a process that was killed left half-made. */
export async function removeStaging(home: string): Promise<void> {
  await remove(join(home, STAGING));
}

/**
 * An empty directory below home in which something is made before it gets its final name. Whatever a killed process left
 * there is removed: the caller has the start lock.
 */
export async function stagingDirectory(home: string): Promise<string> {
  const path = join(home, STAGING);
  await remove(path);
  await mkdir(path, { mode: 0o700 });
  return path;
}

/** Retries, because PostgreSQL's log collector outlives the postmaster by a moment. */
export async function remove(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
}

/** Makes a rename in this directory survive a power cut. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
