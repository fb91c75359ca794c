import { describe, expect, test } from 'vitest';
import type { Faults } from './fake-server/index.ts';
import {
  contents,
  expectComplete,
  catchFailure,
  makeLines,
  LONG,
  LONG_EDGES,
  LONG_FROM,
  LONG_TO,
  RETRY,
  Scene,
} from './scene.ts';

const HOUR_MS = 3_600_000;

describe('503 to a create', () => {
  test.concurrent.each([
    ['no Retry-After', {}, 0, 50],
    ['a number', { retryAfter: 1 }, 999, 1000],
    ['nought', { retryAfter: 0 }, 249, 250],
    ['a date', { retryAfter: { dateIn: 2 } }, 999, 2000],
    ['a date that is past', { retryAfter: { dateIn: -HOUR_MS } }, 0, 50],
    ['a negative number', { retryAfter: -1 }, 0, 50],
    ['a fraction', { retryAfter: '1.5' }, 0, 50],
    ['a word', { retryAfter: 'soon' }, 0, 50],
    ['an empty header', { retryAfter: '' }, 0, 50],
  ])('%s', async (_name, how, atLeast, atMost) => {
    const faults: Faults = { status: { on: 'create', status: 503, times: 2, ...how } };
    await using scene = await Scene.begin({ faults });
    await expectComplete(scene, scene.pull());
    expect(scene.count('create')).toBe(3);
    expect(scene.waits).toMatchObject([{ reason: 'busy' }, { reason: 'busy' }]);
    for (const { ms } of scene.waits) {
      // On a busy machine the report itself takes a while.
      expect(ms).toBeGreaterThanOrEqual(atLeast - 100);
      expect(ms).toBeLessThanOrEqual(atMost);
    }
  });

  test.concurrent.each([
    ['999999999'],
    ['99999999999999999999999999999999'],
    ['Fri, 31 Dec 9999 23:59:59 GMT'],
  ])('%s: asks again after an hour at the latest', async (retryAfter) => {
    await using scene = await Scene.begin({
      faults: { status: { on: 'create', status: 503, retryAfter } },
    });
    await scene.pullUntilWaiting();
    expect(scene.waits).toHaveLength(1);
    expect(scene.waits[0]?.ms).toBeCloseTo(HOUR_MS, -2);
  });

  test.concurrent.each([-HOUR_MS, HOUR_MS])(
    'a date by a clock that is off by %i ms',
    async (offsetMs) => {
      const faults: Faults = {
        clock: { offsetMs },
        status: { on: 'create', status: 503, times: 1, retryAfter: { dateIn: 2 } },
      };
      await using scene = await Scene.begin({ faults });
      await expectComplete(scene, scene.pull());
      expect(scene.waits[0]?.ms).toBeGreaterThanOrEqual(999);
      expect(scene.waits[0]?.ms).toBeLessThanOrEqual(2000);
    },
  );

  test.concurrent('wait: false fails at once, and says what the fake server said', async () => {
    const status = { on: ['create'], status: 503, retryAfter: 3600, details: 'Closed for lunch' };
    await using scene = await Scene.begin({ faults: { status: status as never } });
    const error = await catchFailure(scene.pull({}, scene.client({ wait: false })), 'UNAVAILABLE');
    expect(error).toMatchObject({ status: 503, retryAfterMs: HOUR_MS });
    expect(error.message).toContain('Closed for lunch');
    expect(scene.count('create')).toBe(1);
    expect(scene.waits).toEqual([]);
  });

  test.concurrent('wait: false does not wait for an answer about the hours either', async () => {
    const on = ['create', 'availability'] as const;
    await using scene = await Scene.begin({
      faults: { status: { on, status: 503, retryAfter: 3600 } },
    });
    await catchFailure(scene.pull({}, scene.client({ wait: false })), 'UNAVAILABLE');
    expect(scene.waits).toEqual([]);
    expect(scene.fake.requests.length).toBeLessThanOrEqual(3);
  });

  test.concurrent('wait: false: what is there stays, and a later pull continues', async () => {
    const status = { on: 'create', status: 503, after: 1 } as const;
    await using scene = await Scene.begin({ ...LONG, orders: 120, faults: { status } });
    await catchFailure(scene.pull(LONG, scene.client({ wait: false })), 'UNAVAILABLE');
    expect(await contents(scene.out)).toEqual(
      makeLines(scene.fake, ['ORDERS'], LONG_FROM, LONG_EDGES[0]),
    );
    scene.fake.set({});
    const expected = makeLines(scene.fake, ['ORDERS'], LONG_FROM, LONG_TO);
    await expectComplete(scene, scene.pull(LONG, scene.client({ wait: false })), expected);
    expect(scene.fake.exports).toHaveLength(3);
  });

  test.concurrent('for ever: after `unavailableMs` it is said', async () => {
    await using scene = await Scene.begin({ faults: { status: { on: 'create', status: 503 } } });
    const client = scene.client({ retry: { ...RETRY, unavailableMs: 300 } });
    await catchFailure(client.create({ type: 'ORDERS', startTime: 1, endTime: 2 }), 'UNAVAILABLE');
    expect(scene.count('create')).toBeLessThan(15);
  });

  test.concurrent('too many open exports: waits for its turn', async () => {
    await using scene = await Scene.begin({ maxOpen: 1, ready: { ms: 600 } });
    await scene
      .client()
      .create({ type: 'ORDERS', startTime: LONG_FROM, endTime: LONG_FROM + HOUR_MS });
    await expectComplete(scene, scene.pull());
    expect(scene.waits.map(({ reason }) => reason)).toContain('busy');
  });
});

describe('hours', () => {
  test.concurrent.each([0, -HOUR_MS])(
    "closed: says when it opens, and waits; the server's clock is %i ms off",
    async (offsetMs) => {
      const faults: Faults = offsetMs === 0 ? {} : { clock: { offsetMs } };
      await using scene = await Scene.begin({ faults });
      const opens = new Date(Math.ceil(Date.now() / 60_000) * 60_000 + 600_000);
      const clock = (at: number): string => new Date(at).toISOString().slice(11, 16);
      const time = clock(opens.getTime());
      // Closed now at any time of day, also shortly before midnight.
      scene.fake.setHours(`daily ${time}-${clock(opens.getTime() + HOUR_MS)}`);
      await scene.pullUntilWaiting();
      expect(scene.waits).toHaveLength(1);
      const [wait] = scene.waits;
      expect(wait?.reason).toBe('hours');
      expect(wait?.message).toContain(time);
      expect(Math.abs((wait?.opens ?? 0) - opens.getTime())).toBeLessThan(3000);
      expect(Math.abs((wait?.until ?? 0) - opens.getTime())).toBeLessThan(3000);
    },
  );

  test.concurrent.each([
    '{"open":false,"region":"us","hours":"odd","nextOpen":"soon","nextClose":null}',
    '{"open":false,"region":"us","hours":"odd","nextOpen":1e300,"nextClose":null}',
    '{"open":false,"region":"us","hours":"odd","nextOpen":1,"nextClose":null}',
    '{"open":"no"}',
    'null',
    '[]',
    'closed',
  ])('%s tells no time to come back: backs off', async (body) => {
    const faults: Faults = {
      status: [
        { on: 'availability', status: 200, body },
        { on: 'create', status: 503, times: 6 },
      ],
    };
    await using scene = await Scene.begin({ faults });
    await expectComplete(scene, scene.pull());
    expect(scene.waits).toHaveLength(6);
    for (const { ms, opens } of scene.waits) {
      expect(ms).toBeGreaterThanOrEqual(-1);
      expect(ms).toBeLessThanOrEqual(50);
      expect(opens).toBeNull();
    }
  });

  test.concurrent('reading and downloading go on when it has closed', async () => {
    await using scene = await Scene.begin();
    const client = scene.client();
    const { id } = await client.create({ type: 'ORDERS', startTime: 1, endTime: 2 });
    scene.fake.setHours('never');
    await client.wait(id);
    const error = await catchFailure(scene.pull(), 'UNAVAILABLE');
    expect(error.message).toMatch(/never opens/);
  });
});
