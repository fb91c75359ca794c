import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import type { Order } from '@tillroll/contract';
import { describe, expect, test } from 'vitest';
import type { State } from '../src/directory/state.ts';
import { verify } from '../src/files.ts';
import { ExportError, type PullOptions } from '../src/index.ts';
import type { Faults, RequestRecord } from './fake-server/index.ts';
import type { PullOrder, PullOutcome } from './pull-process.ts';
import { contents, LONG, LONG_EDGES, LONG_FROM, LONG_TO, RETRY } from './scene.ts';

const KILLS = 5;
/** Downloads take most of a pull's time: there a kill leaves most behind. */
const SLOW = { on: 'file', latencyMs: 40 } as const;

/** The fake server as a process of its own: what it remembers outlives the clients that are killed. */
class FarProcess implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly url: string;

  private constructor(process: ChildProcess, url: string) {
    this.#process = process;
    this.url = url;
  }

  static async begin(faults: Faults): Promise<FarProcess> {
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
    return new FarProcess(child, ready.replace('ready ', ''));
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

function begin(url: string, out: string, how: Partial<PullOptions>): ChildProcess {
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

async function toItsEnd(child: ChildProcess): Promise<PullOutcome> {
  if (!child.stdout) throw new Error('no stdout');
  return JSON.parse(await text(child.stdout)) as PullOutcome;
}

/** Name of a file of the fake server. */
const nameOf = (exportId: string, position: number): string => `${exportId}/${position}`;

/** The state of a directory, or undefined where none was written yet. It is replaced as a whole: it is never half there. */
async function readState(out: string): Promise<State | undefined> {
  const written = await readFile(join(out, '.tillroll/state.json'), 'utf8').catch(() => undefined);
  return written === undefined ? undefined : (JSON.parse(written) as State);
}

/** The files that are whole on disk: as parts, or in the file of a month. */
async function fetched(out: string, known: readonly RequestRecord[]): Promise<Set<string>> {
  const names = new Set<string>();
  const state = await readState(out);
  for (const { months, exports } of Object.values(state?.types ?? {})) {
    for (const { id } of exports) {
      const parts = await readdir(join(out, '.tillroll/parts', id)).catch(() => []);
      for (const part of parts) {
        const position = /^(\d{4,})\.json(?:\.gz)?$/.exec(part)?.[1];
        if (position !== undefined) names.add(nameOf(id, Number(position)));
      }
    }
    const committed = Object.values(months).flatMap((month) => month.exports);
    for (const { exportId = '', position } of known)
      if (position !== undefined && committed.includes(exportId))
        names.add(nameOf(exportId, position));
  }
  return names;
}

/** The ids in all files of orders. */
async function orderIds(out: string): Promise<string[]> {
  const ids: string[] = [];
  for (const name of await readdir(join(out, 'orders')).catch(() => [])) {
    const bytes = await readFile(join(out, 'orders', name));
    const lines = (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8').split('\n');
    for (const line of lines.slice(0, -1)) ids.push((JSON.parse(line) as Order).id);
  }
  return ids;
}

function isDirectoryError(error: unknown): boolean {
  if (error instanceof ExportError && error.code === 'DIRECTORY') return false;
  throw error;
}

/** Whatever the moment of a kill: files that have a name are whole, and no object is in two of them. */
async function expectSound(out: string, when: string): Promise<void> {
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

/** A scenario's name, how it pulls, and what the fake server does. */
const SCENARIOS: [string, Partial<PullOptions>, Faults][] = [
  ['jsonl', {}, {}],
  ['payments, from months of 31 days', { types: ['PAYMENTS'], from: Date.UTC(2026, 0, 1) }, {}],
  ['jsonl, gzip', { gzip: true }, {}],
  ['unsorted, with inclusive bounds', {}, { unsorted: {}, bounds: { how: 'inclusive' } }],
];

interface Scenario {
  fake: FarProcess;
  how: Partial<PullOptions>;
  /** For output directories. */
  directory: string;
  /** What a pull begins with: a copy of this directory, or nothing. */
  base?: string;
  /** Looks at a directory after the kill, before the next pull. */
  onKilled?: (out: string, when: string) => Promise<void>;
  onResumed?: (out: string, when: string) => Promise<void>;
}

/** Kills a pull `KILLS` times, each in a directory of its own, and lets each be finished. */
async function kill(scenario: Scenario): Promise<void> {
  const { fake, how, directory, base, onKilled, onResumed } = scenario;
  const fresh = async (name: string): Promise<string> => {
    const out = join(directory, name);
    if (base !== undefined) await cp(base, out, { recursive: true });
    return out;
  };
  const whole = await fresh('whole');
  const began = performance.now();
  expect(await toItsEnd(begin(fake.url, whole, how))).toMatchObject({ complete: true });
  const lasts = performance.now() - began;
  const expected = await contents(whole);
  expect(Object.keys(expected).length).toBeGreaterThanOrEqual(3);

  let interrupted = 0;
  for (let i = 0; i < KILLS; i++) {
    // One in each fifth of its time, so that all of it is tried.
    const after = (lasts * (i + Math.random())) / KILLS;
    const when = `killed after ${after.toFixed()} of ${lasts.toFixed()} ms`;
    const out = await fresh(`killed-${i}`);
    const child = begin(fake.url, out, how);
    const ended = once(child, 'exit');
    await delay(after);
    if (child.kill('SIGKILL')) interrupted++;
    await ended;
    await expectSound(out, when);
    await onKilled?.(out, when);
    expect(await toItsEnd(begin(fake.url, out, how)), when).toMatchObject({ complete: true });
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
    await using fake = await FarProcess.begin(faults);
    let before: RequestRecord[] = [];
    let complete = new Set<string>();
    let spared = 0;
    await inDirectory((directory) =>
      kill({
        fake,
        how,
        directory,
        onKilled: async (out) => {
          before = await fake.requests();
          complete = await fetched(out, before);
          spared += complete.size;
        },
        onResumed: async (_out, when) => {
          const again = (await fake.requests())
            .slice(before.length)
            .filter(({ exportId = '', position = -1 }) => complete.has(nameOf(exportId, position)))
            .map(({ path }) => path);
          expect(again, when).toEqual([]);
        },
      }),
    );
    expect(spared).toBeGreaterThan(0);
  });

  test.concurrent('sinceLast, over the end of a month', { timeout: 120_000 }, async () => {
    await using fake = await FarProcess.begin({});
    await inDirectory(async (directory) => {
      const base = join(directory, 'base');
      await toItsEnd(begin(fake.url, base, { to: '2026-03-04' }));
      const before = Object.values(await contents(base));
      await fake.changeOrders(Date.UTC(2026, 1, 26));
      const how = { from: undefined, sinceLast: true };
      await kill({ fake, how, directory, base });
      // In the first month nothing has changed, and in the others something.
      const after = Object.values(await contents(join(directory, 'whole')));
      expect(after.map((sum) => before.includes(sum))).toEqual([true, false, false]);
    });
  });
});

/** Every file below a folder, or nothing where it is not there. */
function filesBelow(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, encoding: 'utf8' });
  } catch {
    return [];
  }
}

function hasStaged(out: string, name: string): boolean {
  const staging = join(out, '.tillroll/staging');
  return filesBelow(staging).some((path) => {
    if (!path.endsWith(`/${name}`)) return false;
    return (statSync(join(staging, path), { throwIfNoEntry: false })?.size ?? 0) > 0;
  });
}

function hasPending(out: string): boolean {
  try {
    const { pending } = JSON.parse(
      readFileSync(join(out, '.tillroll/state.json'), 'utf8'),
    ) as State;
    return pending.length > 0;
  } catch {
    return false;
  }
}

/** Kills a process as soon as a condition holds. @returns whether it did so before the process ended */
async function killWhen(child: ChildProcess, isDue: () => boolean): Promise<boolean> {
  const ended = once(child, 'exit');
  while (child.exitCode === null && child.signalCode === null) {
    if (isDue() && child.kill('SIGKILL')) {
      await ended;
      return true;
    }
    await nextTurn();
  }
  await ended;
  return false;
}

describe('killed at a moment that matters, and run again, it gives the same', () => {
  const MOMENTS: [string, (out: string) => boolean][] = [
    ['while parts are assembled', (out) => hasStaged(out, 'lines.tmp')],
    ['while the id index is written', (out) => hasStaged(out, 'ids')],
    ["while a month's file is replaced", hasPending],
  ];

  test.each(MOMENTS)('%s', { timeout: 120_000 }, async (_name, isDue) => {
    await using fake = await FarProcess.begin({});
    await inDirectory(async (directory) => {
      const base = join(directory, 'base');
      await toItsEnd(begin(fake.url, base, { to: '2026-03-04' }));
      // Months lose orders to a later one: several files are replaced as one set.
      const moved = await fake.moveOrders(LONG_EDGES[0], Date.UTC(2026, 2, 3, 12));
      expect(moved).toBeGreaterThan(5);
      const how = { from: undefined, sinceLast: true };
      const whole = join(directory, 'whole');
      await cp(base, whole, { recursive: true });
      expect(await toItsEnd(begin(fake.url, whole, how))).toMatchObject({ complete: true });
      const expected = await contents(whole);
      expect(new Set(await orderIds(whole)).size).toBe(800);

      let hits = 0;
      for (let i = 0; i < 2 * KILLS; i++) {
        const out = join(directory, `killed-${i}`);
        await cp(base, out, { recursive: true });
        // Some milliseconds later each time: also the middle of what began is tried.
        let dueAt = Infinity;
        const isLate = (): boolean => {
          if (dueAt === Infinity && isDue(out)) dueAt = performance.now() + i;
          return performance.now() >= dueAt;
        };
        if (await killWhen(begin(fake.url, out, how), isLate)) hits++;
        const when = `kill ${i}`;
        await expectSound(out, when);
        expect(await toItsEnd(begin(fake.url, out, how)), when).toMatchObject({ complete: true });
        expect(await contents(out), when).toEqual(expected);
        expect(await verify(out), when).toMatchObject({ complete: true, faults: [] });
      }
      expect(hits).toBeGreaterThanOrEqual(KILLS);
    });
  });
});
