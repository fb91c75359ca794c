import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Order } from '@tillroll/contract';
import { describe, expect, test } from 'vitest';
import type { Receipt } from '../src/files.ts';
import {
  contents,
  expectComplete,
  catchFailure,
  FROM,
  makeLines,
  LONG,
  LONG_FROM,
  LONG_MONTHS,
  LONG_TO,
  pullAsProcess,
  Scene,
} from './scene.ts';

const parseId = (text: string): string => (JSON.parse(text) as Order).id;

describe('one at a time', () => {
  test('a second pull into the directory: LOCKED; afterwards it is free', async () => {
    await using scene = await Scene.begin({ faults: { slow: { on: 'file', latencyMs: 1000 } } });
    const started = Promise.withResolvers<void>();
    const first = scene.pull({ onProgress: ({ event }) => event === 'month' && started.resolve() });
    await started.promise;
    const error = await catchFailure(scene.pull(), 'LOCKED');
    expect(error.message).toContain(`process ${process.pid}`);
    const [other] = (await pullAsProcess(scene)).failed;
    expect(other).toMatchObject({ code: 'LOCKED', message: error.message });
    await expectComplete(scene, first);
    await expectComplete(scene, scene.pull());
  });

  test('a signal ends it; the next one continues', async () => {
    await using scene = await Scene.begin({ ...LONG, orders: 240 });
    scene.fake.set({ slow: { on: 'file', latencyMs: 20, bytesPerSecond: 200_000 } });
    const stop = new AbortController();
    const pulling = scene.pull({
      ...LONG,
      signal: stop.signal,
      onProgress: (event) =>
        event.event === 'month' &&
        event.month.files >= 3 &&
        event.month.name === LONG_MONTHS[2] &&
        stop.abort(),
    });
    expect((await catchFailure(pulling, 'INTERRUPTED')).message).toBe('interrupted');
    // Whatever has a name that somebody would read is whole.
    const expected = makeLines(scene.fake, ['ORDERS'], LONG_FROM, LONG_TO);
    const left = await contents(scene.out);
    expect(Object.keys(left).length).toBeGreaterThan(0);
    for (const [path, sum] of Object.entries(left))
      expect([path, expected[path]]).toEqual([path, sum]);
    const names = await readdir(scene.out);
    expect(names.toSorted()).toEqual(['.tillroll', 'SHA256SUMS', 'orders', 'receipt.json']);
    const receipt = JSON.parse(await readFile(join(scene.out, 'receipt.json'), 'utf8')) as Receipt;
    expect(receipt.complete).toBe(false);

    // Nothing runs on in the background.
    const asked = scene.fake.requests.length;
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(scene.fake.requests).toHaveLength(asked);

    await expectComplete(scene, scene.pull(LONG), expected);
    const whole = scene.fake.requests.filter(
      ({ kind, outcome }) => kind === 'file' && outcome === 'sent',
    );
    // At most those that were under way came to their end unseen.
    expect(whole.length - new Set(whole.map(({ path }) => path)).size).toBeLessThanOrEqual(4);
  });

  test('a caller that has seen enough orders waits for nothing more', async () => {
    await using scene = await Scene.begin({ orders: 100 });
    scene.fake.set({ slow: { on: 'file', position: 1, latencyMs: 5000 } });
    const began = Date.now();
    const ids: string[] = [];
    for await (const { id } of scene.client().orders({ from: FROM, to: LONG_TO })) {
      ids.push(id);
      if (ids.length === 5) break;
    }
    expect(ids).toEqual(scene.fake.objects('ORDERS').slice(0, 5).map(parseId));
    expect(Date.now() - began).toBeLessThan(3000);
  });
});
