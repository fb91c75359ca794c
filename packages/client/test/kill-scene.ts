/** Pulls in processes of their own, which tests kill, and the checks of the directories that they leave. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import type { Order } from '@tillroll/contract';
import { expect } from 'vitest';
import type { State } from '../src/directory/state.ts';
import { verify } from '../src/files.ts';
import { ExportError, type PullOptions } from '../src/index.ts';
import type { Faults, RequestRecord } from './fake-server/index.ts';
import type { PullOrder, PullOutcome } from './pull-process.ts';
import { orderIds } from './pulled-orders.ts';
import { LONG, LONG_FROM, LONG_TO, RETRY } from './scene.ts';

export const KILLS = 5;

/** Downloads take most of a pull's time: there a kill leaves most behind. */
const SLOW = { on: 'file', latencyMs: 40 } as const;

/** The fake server as a process of its own: what it remembers outlives the clients that are killed. */
export class FakeServerProcess implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly url: string;

  private constructor(process: ChildProcess, url: string) {
    this.#process = process;
    this.url = url;
  }

  static async begin(faults: Faults): Promise<FakeServerProcess> {
    const main = join(import.meta.dirname, 'fake-server/main.ts');
    const day = (time: number): string => new Date(time).toISOString();
    const options = Object.entries({
      from: day(LONG_FROM),
      to: day(LONG_TO),
      objects: 800,
      'per-file': 20,
      ready: JSON.stringify({ ms: 30 }),
      faults: JSON.stringify({ slow: SLOW, ...faults }),
    }).flatMap(([name, value]) => [`--${name}`, String(value)]);
    const child = spawn(process.execPath, [main, ...options, '--until-stdin-ends'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const lines = createInterface({ input: child.stdout });
    const [ready] = (await once(lines, 'line')) as [string];
    return new FakeServerProcess(child, ready.replace('ready ', ''));
  }

  async requests(): Promise<RequestRecord[]> {
    const response = await fetch(`${this.url}/.fake-server/requests`);
    return (await response.json()) as RequestRecord[];
  }

  async #orders(): Promise<Order[]> {
    const response = await fetch(`${this.url}/.fake-server/objects/ORDERS`);
    return ((await response.json()) as string[]).map((line) => JSON.parse(line) as Order);
  }

  async #put(orders: readonly Order[]): Promise<void> {
    const changed = orders.map((order) => ({
      ...order,
      modifiedTime: (order.modifiedTime ?? 0) + 1,
    }));
    const body = changed.map((order) => JSON.stringify(order)).join('\n');
    await fetch(`${this.url}/.fake-server/objects/ORDERS`, { method: 'PUT', body });
  }

  /** Modifies all orders that were created since then. */
  async changeOrders(since: number): Promise<void> {
    await this.#put((await this.#orders()).filter(({ createdTime }) => createdTime >= since));
  }

  /** Gives every tenth order that was created before `until` the creation time `to`. @returns how many */
  async moveOrders(until: number, to: number): Promise<number> {
    const old = (await this.#orders()).filter(({ createdTime }) => createdTime < until);
    const moved = old.filter((_, i) => i % 10 === 0);
    await this.#put(moved.map((order) => ({ ...order, createdTime: to })));
    return moved.length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#process, 'exit');
    this.#process.stdin?.end();
    await ended;
  }
}

export function begin(url: string, out: string, how: Partial<PullOptions>): ChildProcess {
  const order: PullOrder = {
    client: { url, merchant: 'M1', token: 'fake-server-token', retry: RETRY },
    pull: { types: ['ORDERS'], ...LONG, out, ...how },
  };
  const script = join(import.meta.dirname, 'pull-process.ts');
  return spawn(process.execPath, [script, JSON.stringify(order)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    // A new process a second: what one has compiled the others need not.
    env: { ...process.env, NODE_COMPILE_CACHE: join(tmpdir(), 'tillroll-compiled') },
  });
}

export async function toItsEnd(child: ChildProcess): Promise<PullOutcome> {
  if (!child.stdout) throw new Error('no stdout');
  return JSON.parse(await text(child.stdout)) as PullOutcome;
}

/** The state of a directory, or undefined where none was written yet. It is replaced as a whole: it is never half there. */
export async function readState(out: string): Promise<State | undefined> {
  const written = await readFile(join(out, '.tillroll/state.json'), 'utf8').catch(() => undefined);
  return written === undefined ? undefined : (JSON.parse(written) as State);
}

function isDirectoryError(error: unknown): boolean {
  if (error instanceof ExportError && error.code === 'DIRECTORY') return false;
  throw error;
}

/** Whatever the moment of a kill: files that have a name are whole, and no object is in two of them. */
export async function expectSound(out: string, when: string): Promise<void> {
  const ids = await orderIds(out);
  expect(new Set(ids).size, when).toBe(ids.length);
  const state = await readState(out);
  if (!state) return;
  // A set of files that is half replaced is reported by `verify`, until the next pull completes it.
  if (state.pending.length === 0) return;
  // The very first set has no receipt yet.
  const isSound = await verify(out).then((result) => result.isSound, isDirectoryError);
  expect(isSound, when).toBe(false);
}

export async function inDirectory(run: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'tillroll-kill-'));
  try {
    await run(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
