import { randomUUID } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { link, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { ExportError } from '../errors.ts';
import { absolute, LOCK, type Layout } from './layout.ts';

interface Holder {
  pid: number;
  host: string;
  /** When the process started, as the system tells it: process ids are used again. */
  started: string | null;
  nonce: string;
}

/** The start of a process in clock ticks since boot; null where the system does not tell. */
function startOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in brackets may hold anything; the 20th field behind it is the start.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}

function isAlive({ pid, host, started }: Holder): boolean {
  if (host !== hostname()) return true;
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  return started === null || started === startOf(pid);
}

/** Undefined when the text names none. */
function holderIn(text: string | undefined): Holder | undefined {
  try {
    const holder = JSON.parse(text ?? '') as Partial<Holder> | null;
    const isOne = typeof holder?.pid === 'number' && typeof holder.host === 'string';
    return isOne ? (holder as Holder) : undefined;
  } catch {
    return undefined;
  }
}

/** Gives a file another name, which appears whole, or not at all because there is one. */
async function linked(path: string, name: string): Promise<boolean> {
  try {
    await link(path, name);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Holds an output directory for this process alone; a lock whose process died is taken over. */
export class DirectoryLock implements Disposable {
  readonly #path: string;
  readonly #nonce: string;

  private constructor(path: string, nonce: string) {
    this.#path = path;
    this.#nonce = nonce;
  }

  /** @throws ExportError LOCKED */
  static async take(layout: Pick<Layout, 'out'>): Promise<DirectoryLock> {
    const path = absolute(layout, LOCK);
    const nonce = randomUUID();
    const own: Holder = {
      pid: process.pid,
      host: hostname(),
      started: startOf(process.pid),
      nonce,
    };
    const mine = `${path}.${nonce}`;
    await writeFile(mine, JSON.stringify(own));
    try {
      for (let tries = 0; tries < 10; tries++) {
        if (await linked(mine, path)) return new DirectoryLock(path, nonce);
        // As text: what is no longer there and what cannot be read must not look the same.
        const found = await readFile(path, 'utf8').catch(() => undefined);
        if (found === undefined) {
          await delay(5);
          continue;
        }
        const holder = holderIn(found);
        if (holder && isAlive(holder)) throw locked(layout.out, holder);
        await removeStale(path, mine, found);
      }
      throw locked(layout.out, undefined);
    } finally {
      await rm(mine, { force: true });
    }
  }

  [Symbol.dispose](): void {
    try {
      const holder = JSON.parse(readFileSync(this.#path, 'utf8')) as Holder;
      if (holder.nonce === this.#nonce) rmSync(this.#path, { force: true });
    } catch {
      // Not ours any more.
    }
  }
}

/**
 * Removes a dead process's lock, unless it is another one's by then: between a look and the removal
 * nobody else may remove one, so that nobody's new lock goes with the old.
 */
async function removeStale(path: string, mine: string, dead: string): Promise<void> {
  const right = `${path}.takeover`;
  if (!(await linked(mine, right))) {
    const other = holderIn(await readFile(right, 'utf8').catch(() => undefined));
    if (other && !isAlive(other)) await rm(right, { force: true });
    else await delay(20);
    return;
  }
  try {
    const present = await readFile(path, 'utf8').catch(() => undefined);
    if (present === dead) await rm(path, { force: true });
  } finally {
    await rm(right, { force: true });
  }
}

function locked(out: string, holder: Holder | undefined): ExportError {
  const who = holder ? `process ${holder.pid} on ${holder.host}` : 'another process';
  return new ExportError('LOCKED', `${out} is in use by ${who}`, {
    hint: `Let it finish; if it no longer exists, remove ${LOCK} there`,
  });
}
