import { randomUUID } from 'node:crypto';
import { link, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { hasCode } from './directories.ts';

const POLL_MS = 25;
/** How often the holder shows that it is alive. */
const HEARTBEAT_MS = 1_000;
/** How long a lock must be seen without a heartbeat before it is removed. Clocks are not compared. */
const SILENCE_MS = 10_000;

interface Holder {
  host: string;
  pid: number;
  token: string;
}

/**
 * Runs `work` while no other process creates, starts or stops the PostgreSQL of a data directory. The lock is a file; one
 * whose process died is removed.
 * @throws the signal's reason while waiting.
 */
export async function withStartLock<T>(
  dataDir: string,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  const path = join(dataDir, 'postgres.lock');
  const token = await acquire(path, signal);
  const heartbeat = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => undefined);
  }, HEARTBEAT_MS);
  heartbeat.unref();
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    if ((await readHolder(path))?.token === token) await rm(path, { force: true });
  }
}

async function acquire(path: string, signal: AbortSignal): Promise<string> {
  const own: Holder = { host: hostname(), pid: process.pid, token: randomUUID() };
  const draft = `${path}.${own.token}`;
  await writeFile(draft, JSON.stringify(own), { mode: 0o600, flag: 'wx' });
  try {
    let seen = { token: '', beat: 0, since: 0 };
    for (;;) {
      signal.throwIfAborted();
      try {
        // Unlike a rename, this fails when there is a lock.
        await link(draft, path);
        return own.token;
      } catch (error) {
        if (!hasCode(error, 'EEXIST')) throw error;
      }
      const holder = await readHolder(path);
      const beat = await stat(path).then(
        ({ mtimeMs }) => mtimeMs,
        () => 0,
      );
      const token = holder?.token ?? '';
      if (seen.token !== token || seen.beat !== beat)
        seen = { token, beat, since: performance.now() };
      const isSilent = performance.now() - seen.since > SILENCE_MS;
      if (isSilent || (holder && isDead(holder))) await removeLock(path, token);
      else await delay(POLL_MS, undefined, { signal });
    }
  } finally {
    await rm(draft, { force: true });
  }
}

async function readHolder(path: string): Promise<Holder | null> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Holder;
  } catch {
    return null;
  }
}

function isDead({ host, pid }: Holder): boolean {
  if (host !== hostname()) return false;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return hasCode(error, 'ESRCH');
  }
}

/** Removes the lock of a dead holder. One that another process took meanwhile is put back. */
async function removeLock(path: string, token: string): Promise<void> {
  const removed = `${path}.${randomUUID()}`;
  try {
    await rename(path, removed);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return;
    throw error;
  }
  const holder = await readHolder(removed);
  if ((holder?.token ?? '') !== token) await link(removed, path).catch(() => undefined);
  await rm(removed, { force: true });
}
