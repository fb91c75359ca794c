import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { State } from '../src/directory/state.ts';
import { verify } from '../src/files.ts';
import {
  begin,
  expectSound,
  FakeServerProcess,
  inDirectory,
  KILLS,
  toItsEnd,
} from './kill-scene.ts';
import { orderIds } from './pulled-orders.ts';
import { contents, LONG_EDGES } from './scene.ts';

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
    await using fake = await FakeServerProcess.begin({});
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
