import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import type { Order } from '@tillroll/contract';
import { describe, expect, test } from 'vitest';
import type { PullOptions } from '../src/index.ts';
import type { Faults, RequestRecord } from './far-side/index.ts';
import type { PullOrder, PullOutcome } from './pull-process.ts';
import { contents, LONG_FROM, LONG_TO, RETRY } from './scene.ts';

const KILLS = 5;
/** Downloads take most of a pull's time: there a kill leaves most behind. */
const SLOW = { on: 'file', latencyMs: 40 } as const;

/** The far side as a process of its own: what it remembers outlives the clients that are killed. */
class FarProcess implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly url: string;

  private constructor(process: ChildProcess, url: string) {
    this.#process = process;
    this.url = url;
  }

  static async begin(faults: Faults): Promise<FarProcess> {
    const main = join(import.meta.dirname, 'far-side/main.ts');
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
    return new FarProcess(child, ready.replace('ready ', ''));
  }

  async requests(): Promise<RequestRecord[]> {
    const response = await fetch(`${this.url}/.far-side/requests`);
    return (await response.json()) as RequestRecord[];
  }

  /** All that were created since then were modified. */
  async changeOrders(since: number): Promise<void> {
    const address = `${this.url}/.far-side/objects/ORDERS`;
    const texts = (await (await fetch(address)).json()) as string[];
    const orders = texts.map((line) => JSON.parse(line) as Order);
    const changed = orders
      .filter(({ createdTime }) => createdTime >= since)
      .map((order) => ({ ...order, modifiedTime: (order.modifiedTime ?? 0) + 1 }));
    const body = changed.map((order) => JSON.stringify(order)).join('\n');
    await fetch(address, { method: 'PUT', body });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#process, 'exit');
    this.#process.stdin?.end();
    await ended;
  }
}

function begin(url: string, out: string, how: Partial<PullOptions>): ChildProcess {
  const order: PullOrder = {
    client: { url, merchant: 'M1', token: 'far-side-token', retry: RETRY },
    pull: { types: ['ORDERS'], from: LONG_FROM, to: LONG_TO, out, ...how },
  };
  const script = join(import.meta.dirname, 'pull-process.ts');
  return spawn(process.execPath, [script, JSON.stringify(order)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    // A new process a second: what one has compiled the others need not.
    env: { ...process.env, NODE_COMPILE_CACHE: join(tmpdir(), 'tillroll-compiled') },
  });
}

async function toItsEnd(child: ChildProcess): Promise<PullOutcome> {
  if (!child.stdout) throw new Error('no stdout');
  return JSON.parse(await text(child.stdout)) as PullOutcome;
}

/** Name of a file at the far side. */
const nameOf = (exportId: string, position: number): string => `${exportId}/${position}`;

/** The files that the state of a directory says are complete. Its last line may be cut off. */
async function recorded(out: string, known: readonly RequestRecord[]): Promise<Set<string>> {
  const state = await readFile(join(out, '.tillroll/state.jsonl'), 'utf8').catch(() => '');
  const names = new Set<string>();
  for (const line of state.split('\n').slice(0, -1)) {
    const entry = JSON.parse(line) as {
      is: string;
      exportId: string;
      position: number;
      range: { exports: string[] };
    };
    if (entry.is === 'segment') names.add(nameOf(entry.exportId, entry.position));
    if (entry.is !== 'done') continue;
    for (const { exportId = '', position } of known)
      if (position !== undefined && entry.range.exports.includes(exportId))
        names.add(nameOf(exportId, position));
  }
  return names;
}

/** A scenario's name, how it pulls, and what the far side does. */
const SCENARIOS: [string, Partial<PullOptions>, Faults][] = [
  ['jsonl', {}, {}],
  ['json', { format: 'json', types: ['PAYMENTS'] }, {}],
  ['jsonl, gzip', { gzip: true }, {}],
  ['unsorted, with inclusive bounds', {}, { unsorted: {}, bounds: { how: 'inclusive' } }],
];

interface Scenario {
  far: FarProcess;
  how: Partial<PullOptions>;
  /** For output directories. */
  directory: string;
  /** What a pull begins with: a copy of this directory, or nothing. */
  base?: string;
  /** What stands in a directory that was killed in, before it is gone on with. */
  onKilled?: (out: string, when: string) => Promise<void>;
  onResumed?: (out: string, when: string) => Promise<void>;
}

/** Kills a pull `KILLS` times, each in a directory of its own, and lets each be finished. */
async function kill(scenario: Scenario): Promise<void> {
  const { far, how, directory, base, onKilled, onResumed } = scenario;
  const fresh = async (name: string): Promise<string> => {
    const out = join(directory, name);
    if (base !== undefined) await cp(base, out, { recursive: true });
    return out;
  };
  const whole = await fresh('whole');
  const began = performance.now();
  expect(await toItsEnd(begin(far.url, whole, how))).toMatchObject({ complete: true });
  const lasts = performance.now() - began;
  const expected = await contents(whole);
  expect(Object.keys(expected).length).toBeGreaterThanOrEqual(3);

  let interrupted = 0;
  for (let i = 0; i < KILLS; i++) {
    // One in each fifth of its time, so that all of it is tried.
    const after = (lasts * (i + Math.random())) / KILLS;
    const when = `killed after ${after.toFixed()} of ${lasts.toFixed()} ms`;
    const out = await fresh(`killed-${i}`);
    const child = begin(far.url, out, how);
    const ended = once(child, 'exit');
    await delay(after);
    if (child.kill('SIGKILL')) interrupted++;
    await ended;
    await onKilled?.(out, when);
    expect(await toItsEnd(begin(far.url, out, how)), when).toMatchObject({ complete: true });
    expect(await contents(out), when).toEqual(expected);
    await onResumed?.(out, when);
  }
  // A kill that always comes too late shows nothing.
  expect(interrupted).toBeGreaterThanOrEqual(2);
}

async function inDirectory(run: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'tillroll-kill-'));
  try {
    await run(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

describe('killed at any moment and run again, it gives the same', () => {
  test.concurrent.each(SCENARIOS)('%s', { timeout: 120_000 }, async (_name, how, faults) => {
    await using far = await FarProcess.begin(faults);
    let before: RequestRecord[] = [];
    let complete = new Set<string>();
    let spared = 0;
    await inDirectory((directory) =>
      kill({
        far,
        how,
        directory,
        onKilled: async (out) => {
          before = await far.requests();
          complete = await recorded(out, before);
          spared += complete.size;
        },
        onResumed: async (_out, when) => {
          const again = (await far.requests())
            .slice(before.length)
            .filter(({ exportId = '', position = -1 }) => complete.has(nameOf(exportId, position)))
            .map(({ path }) => path);
          expect(again, when).toEqual([]);
        },
      }),
    );
    expect(spared).toBeGreaterThan(0);
  });

  test.concurrent('sinceLast, over the edge of two ranges', { timeout: 120_000 }, async () => {
    await using far = await FarProcess.begin({});
    await inDirectory(async (directory) => {
      const base = join(directory, 'base');
      await toItsEnd(begin(far.url, base, { to: '2026-02-09' }));
      const before = Object.values(await contents(base));
      await far.changeOrders(Date.UTC(2026, 1, 3));
      const how = { from: undefined, sinceLast: true };
      await kill({ far, how, directory, base });
      // Of the first range nothing has changed, and of the others something.
      const after = Object.values(await contents(join(directory, 'whole')));
      expect(after.map((sum) => before.includes(sum))).toEqual([true, false, false]);
    });
  });
});
