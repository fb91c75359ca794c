import { randomBytes } from 'node:crypto';
import { chmod, lchown, lstat, mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Account } from './account.ts';

const STAGING = 'new.';
/** Far above the bound of whatever works in a staging directory. */
const ABANDONED_AFTER_MS = 10 * 60_000;

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

/** A directory of ours below home in which something is made before it gets its final name. */
export async function stagingDirectory(home: string): Promise<string> {
  const path = join(home, STAGING + randomBytes(6).toString('hex'));
  await mkdir(path, { mode: 0o700 });
  return path;
}

/** Removes what a starter that was killed left half-made. */
export async function removeAbandoned(home: string): Promise<void> {
  for (const name of await readdir(home)) {
    if (!name.startsWith(STAGING)) continue;
    const path = join(home, name);
    const age = await stat(path).then(
      ({ mtimeMs }) => Date.now() - mtimeMs,
      () => 0,
    );
    if (age > ABANDONED_AFTER_MS) await remove(path);
  }
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
