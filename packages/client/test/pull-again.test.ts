import { truncate, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { type PullEvent, verify } from '../src/files.ts';
import { DAY_MS, MANY } from './many-objects.ts';
import {
  contents,
  expectComplete,
  catchFailure,
  makeLines,
  LONG,
  LONG_FROM,
  LONG_TO,
  RETRY,
  Scene,
} from './scene.ts';

describe('a second pull', () => {
  test.concurrent('of the same: nothing is asked', async () => {
    await using scene = await Scene.begin({ ...LONG, orders: 120 });
    await scene.pull(LONG);
    const [before, created, fetched] = [
      await contents(scene.out),
      scene.count('create'),
      scene.count('file'),
    ];
    const again = await scene.pull(LONG);
    expect(again).toMatchObject({ complete: true, received: { objects: 0, bytes: 0 } });
    expect(await contents(scene.out)).toEqual(before);
    expect([scene.count('create'), scene.count('file')]).toEqual([created, fetched]);
  });

  test.concurrent.each([false, true])(
    'that is longer equals a fresh one; gzip %s',
    async (gzip) => {
      await using scene = await Scene.begin(MANY);
      const how = { gzip };
      await scene.pull({ ...how, from: '2026-01-20', to: '2026-03-05' });
      const names = Object.keys(await contents(scene.out));
      const created = scene.count('create');
      const result = await scene.pull({ ...how, ...LONG });
      const fresh = join(scene.directory, 'fresh');
      // Two pieces: what is missing before, and behind, of months that were begun.
      expect(scene.count('create') - created).toBe(2);
      await scene.pull({ ...how, ...LONG, out: fresh });
      expect(await contents(scene.out)).toEqual(await contents(fresh));
      expect(Object.keys(await contents(scene.out))).toEqual(names);
      expect(result.complete).toBe(true);
      expect(await verify(scene.out)).toMatchObject({ complete: true, faults: [] });
      const spans = scene.fake.exports
        .slice(created, created + 2)
        .map(({ request }) => [request.startTime, request.endTime]);
      expect(spans).toEqual([
        [LONG_FROM, Date.UTC(2026, 0, 20)],
        [Date.UTC(2026, 2, 5), LONG_TO],
      ]);
    },
  );

  test.concurrent('that would leave a gap is refused', async () => {
    await using scene = await Scene.begin({ ...LONG, orders: 120 });
    await scene.pull({ from: LONG_FROM, to: '2026-01-20' });
    const before = await contents(scene.out);
    const error = await catchFailure(scene.pull({ from: '2026-01-21', to: LONG_TO }), 'USAGE');
    expect(error.option).toBe('from');
    expect(error.message).toMatch(
      /leave a gap.*2026-01-16T00:00:00Z to 2026-01-20T00:00:00Z.*2026-01-21T00:00:00Z to /,
    );
    expect(error.hint).toMatch(/Widen/);
    expect(await contents(scene.out)).toEqual(before);
    expect(await verify(scene.out)).toMatchObject({ complete: true });
  });

  test.concurrent('after a file was removed or cut off: that month is fetched again', async () => {
    await using scene = await Scene.begin({ ...LONG, orders: 120 });
    const expected = makeLines(scene.fake, ['ORDERS'], LONG_FROM, LONG_TO);
    await scene.pull(LONG);
    const paths = Object.keys(expected);
    for (const path of [paths[0], paths[2]]) {
      const at = join(scene.out, path ?? '');
      await (path === paths[0] ? unlink(at) : truncate(at, 99));
      const created = scene.count('create');
      await expectComplete(scene, scene.pull(LONG), expected);
      expect(scene.count('create') - created).toBe(1);
    }
  });
});

describe('the end of a span', () => {
  test.concurrent.each([-3_600_000, 3_600_000])(
    "is now by the server's clock, which is %i ms off",
    async (offsetMs) => {
      await using scene = await Scene.begin({ faults: { clock: { offsetMs } } });
      const from = Date.now() - 30 * DAY_MS;
      for (const to of [undefined, Date.now() + 30 * DAY_MS]) {
        const { receipt } = await scene.pull({ from, to });
        const end = Date.parse(receipt.spans[0]?.to ?? '');
        expect(Math.abs(end - (Date.now() + offsetMs))).toBeLessThan(5000);
      }
    },
  );

  test.concurrent('is now, also after a pull that broke off; its exports are continued', async () => {
    await using scene = await Scene.begin({ ready: { polls: 3 } });
    const from = Date.now() - 3 * 3_600_000;
    const impatient = scene.client({ timeoutMs: 0 });
    const broken = await scene.pull({ from, to: undefined }, impatient);
    expect(broken.failed.length).toBeGreaterThan(0);
    const firstEnd = Date.parse(broken.receipt.spans[0]?.to ?? '');
    const asked = scene.fake.exports.map(({ request }) => request.startTime);
    // Ends are whole seconds.
    await vi.waitUntil(() => Date.now() >= firstEnd + 1000, { timeout: 5000 });
    const ends: number[] = [];
    const dones: boolean[] = [];
    const onProgress = (event: PullEvent): void => {
      if (event.event === 'plan') ends.push(event.to);
      if (event.event === 'done') dones.push(event.complete);
    };
    const { receipt, complete } = await scene.pull({ from, to: undefined, onProgress });
    expect(complete).toBe(true);
    expect(dones).toEqual([true]);
    expect(ends).toEqual([Date.parse(receipt.spans[0]?.to ?? '')]);
    expect(ends[0]).toBeGreaterThan(firstEnd);
    // Ranges requested before are not requested again.
    const added = scene.fake.exports.map(({ request }) => request.startTime).slice(asked.length);
    expect(added[0]).toBe(firstEnd);
    expect(new Set([...asked, ...added]).size).toBe(asked.length + added.length);
  });
});

describe('a directory of which nothing came', () => {
  test.concurrent('is bound to nothing: a mistake in the address or an option can be fixed', async () => {
    await using scene = await Scene.begin();
    const stranger = scene.client({ token: 'not-the-token' });
    await catchFailure(scene.pull({ gzip: true }, stranger), 'UNAUTHORIZED');
    const nowhere = scene.client({
      url: 'http://127.0.0.1:9999',
      retry: { ...RETRY, firstAttempts: 1 },
    });
    await catchFailure(scene.pull({ timezone: 'Europe/Paris' }, nowhere), 'NETWORK');
    const { complete, receipt } = await scene.pull();
    expect(complete).toBe(true);
    expect(receipt).toMatchObject({ format: 'jsonl', gzip: false, timezone: 'UTC' });
    await catchFailure(scene.pull({ gzip: true }), 'USAGE');
  });

  test.concurrent('a span that has not begun is refused', async () => {
    await using scene = await Scene.begin();
    const from = Date.now() + 5 * DAY_MS;
    const refused = await catchFailure(scene.pull({ from, to: undefined }), 'USAGE');
    expect(refused.message).toMatch(/^from must lie in the past; got /);
  });
});
