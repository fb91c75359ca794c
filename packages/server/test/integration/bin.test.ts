import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { olderNode } from '../older-node.ts';
import { makePlace, type Place } from './place.ts';
import { endChildren, isRunning, startChild } from './process.ts';
import { until } from './until.ts';

let place: Place;
beforeEach(async () => {
  place = await makePlace();
});
afterEach(() => place.remove());
afterAll(endChildren);

const older = olderNode();

test.skipIf(older === undefined).each(['SIGTERM', 'SIGINT'] as const)(
  `under an older Node (${older ?? 'none on PATH'}) %s reaches the process that does the work`,
  async (signal) => {
    const child = await startChild('all', place.environment(), { node: older });
    const { pid } = JSON.parse(child.log().split('\n')[0] ?? '') as { pid: number };
    expect(pid).not.toBe(child.pid);
    expect((await fetch(`${child.url}/health`)).status).toBe(200);
    child.kill(signal);
    expect(await child.exited).toBe(0);
    // The API and its worker, in order: each heard of it once.
    expect(child.logged('stopped')).toBe(2);
    await until('the process that did the work is gone', () => !isRunning(pid));
  },
);
