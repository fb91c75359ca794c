import { once } from 'node:events';
import { cp, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { PullOptions } from '../src/index.ts';
import type { Faults, RequestRecord } from './fake-server/index.ts';
import {
  begin,
  expectSound,
  FakeServerProcess,
  inDirectory,
  KILLS,
  readState,
  toItsEnd,
} from './kill-scene.ts';
import { contents } from './scene.ts';

/** Name of a file of the fake server. */
const formatName = (exportId: string, position: number): string => `${exportId}/${position}`;

/** The files that are whole on disk: as parts, or in the file of a month. */
async function fetched(out: string, known: readonly RequestRecord[]): Promise<Set<string>> {
  const names = new Set<string>();
  const state = await readState(out);
  for (const { months, exports } of Object.values(state?.types ?? {})) {
    for (const { id } of exports) {
      const parts = await readdir(join(out, '.tillroll/parts', id)).catch(() => []);
      for (const part of parts) {
        const position = /^(\d{4,})\.json(?:\.gz)?$/.exec(part)?.[1];
        if (position !== undefined) names.add(formatName(id, Number(position)));
      }
    }
    const committed = Object.values(months).flatMap((month) => month.exports);
    for (const { exportId = '', position } of known)
      if (position !== undefined && committed.includes(exportId))
        names.add(formatName(exportId, position));
  }
  return names;
}

/** A scenario's name, how it pulls, and what the fake server does. */
const SCENARIOS: [string, Partial<PullOptions>, Faults][] = [
  ['jsonl', {}, {}],
  ['payments, from months of 31 days', { types: ['PAYMENTS'], from: Date.UTC(2026, 0, 1) }, {}],
  ['jsonl, gzip', { gzip: true }, {}],
  ['unsorted, with inclusive bounds', {}, { unsorted: {}, bounds: { how: 'inclusive' } }],
];

interface Scenario {
  fake: FakeServerProcess;
  how: Partial<PullOptions>;
  /** Holds the output directories. */
  directory: string;
  /** The state that a pull begins with: a copy of this directory, or nothing. */
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

describe('killed at any moment and run again, it gives the same', () => {
  test.concurrent.each(SCENARIOS)('%s', { timeout: 120_000 }, async (_name, how, faults) => {
    await using fake = await FakeServerProcess.begin(faults);
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
            .filter(({ exportId = '', position = -1 }) =>
              complete.has(formatName(exportId, position)),
            )
            .map(({ path }) => path);
          expect(again, when).toEqual([]);
        },
      }),
    );
    expect(spared).toBeGreaterThan(0);
  });

  test.concurrent('sinceLast, over the end of a month', { timeout: 120_000 }, async () => {
    await using fake = await FakeServerProcess.begin({});
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
