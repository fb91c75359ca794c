/** The lease by which one process alone changes a directory. */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { ExportError } from '../errors.ts';
import { sleep, throwIfAborted, type OnWaiting } from '../http/retry.ts';
import { findErrno } from '../disk/errors.ts';
import { describeSelf, readLiveness, parseHolder, type Holder } from './holder.ts';
import { absolutePath, LOCK } from './layout.ts';

/** Interval at which a lease is renewed. */
const INTERVAL_MS = 5000;
/** Time that a lease must be seen unchanged before it is taken over. */
const PATIENCE_MS = 30_000;
/** Time after a takeover that a contender, or the former holder, has to finish its step. */
const TAKEOVER_PAUSE_MS = 1000;
/** The same where the holder is dead: only other contenders count. */
const DEAD_HOLDER_PAUSE_MS = 200;
/** A lease has less than 500 bytes. */
const MAX_LEASE_BYTES = 4096;
const { O_CREAT, O_EXCL, O_RDWR, O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;

/** Options of `Lease.acquire`. */
export interface LeaseOptions {
  signal: AbortSignal;
  /** Called when the holder may be alive, before the lease is watched. */
  onWaiting?: OnWaiting | undefined;
  intervalMs?: number | undefined;
  patienceMs?: number | undefined;
}

/**
 * Holds an output directory for this process alone, also between hosts and pid namespaces that share it.
 * The lease is a file that its holder keeps changing. Clocks are never compared: a lease is stale when a
 * contender has *seen* it unchanged for a while. Needs neither hard links nor advisory locks.
 */
export class Lease implements AsyncDisposable {
  readonly token = randomUUID();
  readonly #out: string;
  readonly #path: string;
  readonly #holder: Holder;
  #file: FileHandle | undefined;
  #timer: NodeJS.Timeout | undefined;
  #renewal: Promise<void> = Promise.resolve();
  #renewals = 0;
  #isLost = false;

  private constructor(out: string) {
    this.#out = out;
    this.#path = absolutePath({ out }, LOCK);
    this.#holder = describeSelf(this.token);
  }

  /**
   * Acquires the lease of a directory.
   * @param out a directory with its own folder.
   * @throws ExportError LOCKED when another process holds the directory, INTERRUPTED
   */
  static async acquire(out: string, options: LeaseOptions): Promise<Lease> {
    const lease = new Lease(out);
    for (;;) {
      throwIfAborted(options.signal);
      if (await lease.#create(lease.#path)) break;
      const stale = await watch(out, lease.#path, options);
      if (stale && (await lease.#replace(stale, options.signal))) break;
    }
    lease.#timer = setInterval(() => {
      lease.#renewal = lease.#renewal.then(() => lease.#renew());
    }, options.intervalMs ?? INTERVAL_MS);
    lease.#timer.unref();
    return lease;
  }

  /**
   * Reads the lease once more. Called before each step that changes the directory.
   * @throws ExportError LOCKED when another process has taken it, or it is gone.
   */
  async check(): Promise<void> {
    const text = this.#isLost ? undefined : await readText(this.#path);
    if (text !== undefined && parseHolder(text)?.token === this.token) return;
    this.#isLost = true;
    const other = text === undefined ? undefined : parseHolder(text);
    throw new ExportError(
      'LOCKED',
      `${this.#out} was lost to ${describe(other)} while this process was stopped or could not write`,
      { hint: 'Run the pull again when the other one has finished' },
    );
  }

  /** Releases the lease. The file stays when another process has taken it. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#renewal;
    const isOurs = await this.check().then(
      () => true,
      () => false,
    );
    if (isOurs) await rm(this.#path, { force: true });
    await this.#close();
  }

  async #close(): Promise<void> {
    await this.#file?.close().catch(() => undefined);
    this.#file = undefined;
  }

  /** Creates a lease file. @returns false when it exists. */
  async #create(path: string): Promise<boolean> {
    try {
      this.#file = await open(path, O_CREAT | O_EXCL | O_RDWR, 0o600);
    } catch (error) {
      if (findErrno(error) === 'EEXIST') return false;
      throw error;
    }
    try {
      await this.#file.chmod(0o600);
      await this.#write();
      return true;
    } catch (error) {
      // The disk is full: an empty lock would keep the next process waiting.
      await this.#close();
      await rm(path, { force: true });
      throw error;
    }
  }

  async #write(): Promise<void> {
    this.#holder.counter = String(++this.#renewals).padStart(12, '0');
    const bytes = Buffer.from(`${JSON.stringify(this.#holder)}\n`);
    const written = await this.#file?.write(bytes, 0, bytes.length, 0);
    if (written && written.bytesWritten < bytes.length)
      throw Object.assign(new Error('the lock was cut'), { code: 'ENOSPC', syscall: 'write' });
    await this.#file?.datasync();
  }

  async #renew(): Promise<void> {
    // A renewal may fail: the next one may succeed, and `check` reads the file.
    await this.#write().catch(() => undefined);
  }

  /** Takes over a stale lease. @returns false when another contender was faster. */
  async #replace({ text, pauseMs }: Stale, signal: AbortSignal): Promise<boolean> {
    const own = `${this.#path}.${this.token}`;
    if (!(await this.#create(own))) throw new Error(`${own} exists`);
    let isReplaced = false;
    try {
      // An empty text also stands for a file that cannot be read. A file that is gone is created by `acquire`.
      isReplaced = (await readText(this.#path)) === text;
      if (isReplaced) await rename(own, this.#path);
      if (isReplaced) await sleep(pauseMs, signal);
      const present = isReplaced ? await readText(this.#path) : undefined;
      if (present !== undefined && parseHolder(present)?.token === this.token) return true;
    } catch (error) {
      // A new holder swept the temporary file away.
      if (findErrno(error) !== 'ENOENT') {
        if (isReplaced) await this[Symbol.asyncDispose]();
        await this.#close();
        throw error;
      }
    } finally {
      await rm(own, { force: true });
    }
    await this.#close();
    return false;
  }
}

/** A lease that may be taken over. */
interface Stale {
  text: string;
  pauseMs: number;
}

/** Reads a lease file. @returns undefined when it is gone; '' when it cannot be read, which is compared like any text. */
async function readText(path: string): Promise<string | undefined> {
  try {
    await using file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_LEASE_BYTES), 0);
    return buffer.toString('utf8', 0, bytesRead);
  } catch (error) {
    return findErrno(error) === 'ENOENT' ? undefined : '';
  }
}

/**
 * Watches a lease until it is stale.
 * @returns undefined when it is gone. @throws ExportError LOCKED when it changes, or its process is at work
 */
async function watch(
  out: string,
  path: string,
  { signal, onWaiting, intervalMs = INTERVAL_MS, patienceMs = PATIENCE_MS }: LeaseOptions,
): Promise<Stale | undefined> {
  const text = await readText(path);
  if (text === undefined) return undefined;
  const holder = parseHolder(text);
  const isDead = (): boolean => holder !== undefined && readLiveness(holder) === 'dead';
  if (isDead()) return { text, pauseMs: DEAD_HOLDER_PAUSE_MS };
  if (holder && readLiveness(holder) === 'alive') throw lockedError(out, holder);
  const until = Date.now() + patienceMs;
  const message = `${out} may be in use by ${describe(holder)}; waiting up to ${Math.ceil(patienceMs / 1000)} s to see`;
  onWaiting?.({ reason: 'lock', until, opens: null, message });
  const stepMs = Math.min(1000, intervalMs / 2);
  let seenMs = 0;
  for (let before = performance.now(); seenMs < patienceMs;) {
    await sleep(stepMs, signal);
    const now = performance.now();
    // When both processes were stopped for a while, the holder had no chance to renew.
    seenMs += Math.min(now - before, 2 * stepMs);
    before = now;
    const present = await readText(path);
    if (present === undefined) return undefined;
    if (present !== text) throw lockedError(out, parseHolder(present) ?? holder);
    if (isDead()) return { text, pauseMs: DEAD_HOLDER_PAUSE_MS };
  }
  return { text, pauseMs: TAKEOVER_PAUSE_MS };
}

function describe(holder: Holder | undefined): string {
  return holder ? `process ${holder.pid} on ${holder.host}` : 'another process';
}

function lockedError(out: string, holder: Holder | undefined): ExportError {
  return new ExportError('LOCKED', `${out} is in use by ${describe(holder)}`, {
    hint: 'Let it finish, then run the pull again',
  });
}
