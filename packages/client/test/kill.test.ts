import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import type { ExportType } from '@tillroll/contract';
import { describe, expect, test } from 'vitest';
import type { PullOptions } from '../src/index.ts';
import type { Faults, RequestRecord } from './far-side/index.ts';
import type { PullOrder, PullOutcome } from './pull-process.ts';
import { contents, LONG_FROM, LONG_TO, RETRY } from './scene.ts';

const KILLS = 5;
const TYPES: ExportType[] = ['ORDERS', 'PAYMENTS'];
const SLOW = { on: 'file', latencyMs: 10 } as const;

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
      objects: 1200,
      'per-file': 100,
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

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#process, 'exit');
    this.#process.stdin?.end();
    await ended;
  }
}

function begin(url: string, out: string, how: Partial<PullOptions>): ChildProcess {
  const order: PullOrder = {
    client: { url, merchant: 'M1', token: 'far-side-token', retry: RETRY },
    pull: { types: TYPES, from: LONG_FROM, to: LONG_TO, out, ...how },
  };
  const script = join(import.meta.dirname, 'pull-process.ts');
  return spawn(process.execPath, [script, JSON.stringify(order)], {
    stdio: ['ignore', 'pipe', 'inherit'],
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
  ['json', { format: 'json' }, {}],
  ['jsonl, gzip', { gzip: true }, {}],
  ['unsorted, with inclusive bounds', {}, { unsorted: {}, bounds: { how: 'inclusive' } }],
];

describe('killed at any moment and run again, it gives the same', () => {
  test.concurrent.each(SCENARIOS)('%s', { timeout: 120_000 }, async (_name, how, faults) => {
    await using far = await FarProcess.begin(faults);
    const directory = await mkdtemp(join(tmpdir(), 'tillroll-kill-'));
    try {
      const whole = join(directory, 'whole');
      const began = performance.now();
      expect(await toItsEnd(begin(far.url, whole, how))).toMatchObject({ complete: true });
      const lasts = performance.now() - began;
      const expected = await contents(whole);
      expect(Object.keys(expected).length).toBeGreaterThanOrEqual(6);

      let interrupted = 0;
      let spared = 0;
      for (let kill = 0; kill < KILLS; kill++) {
        // One in each fifth of its time, so that all of it is tried.
        const after = (lasts * (kill + Math.random())) / KILLS;
        const when = `killed after ${after.toFixed()} of ${lasts.toFixed()} ms`;
        const out = join(directory, `killed-${kill}`);
        const child = begin(far.url, out, how);
        const ended = once(child, 'exit');
        await delay(after);
        if (child.kill('SIGKILL')) interrupted++;
        await ended;
        const before = await far.requests();
        const complete = await recorded(out, before);
        spared += complete.size;

        expect(await toItsEnd(begin(far.url, out, how)), when).toMatchObject({ complete: true });
        expect(await contents(out), when).toEqual(expected);
        const again = (await far.requests())
          .slice(before.length)
          .filter(({ exportId, position }) => complete.has(nameOf(exportId ?? '', position ?? -1)));
        expect(
          again.map(({ path }) => path),
          when,
        ).toEqual([]);
      }
      // A kill that always comes too late shows nothing.
      expect(interrupted).toBeGreaterThanOrEqual(2);
      expect(spared).toBeGreaterThan(0);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});
