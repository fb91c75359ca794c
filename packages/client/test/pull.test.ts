import { readFile, truncate, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExportType, Order, Payment } from '@tillroll/contract';
import { describe, expect, test } from 'vitest';
import { verify, type PullEvent } from '../src/files/index.ts';
import {
  contents,
  expectComplete,
  failureOf,
  inflatedContents,
  linesOf,
  LONG_FROM,
  LONG_TO,
  RETRY,
  Scene,
  servedOf,
} from './scene.ts';

const TYPES: ExportType[] = ['ORDERS', 'PAYMENTS'];
const LONG = { from: LONG_FROM, to: LONG_TO };
const DAY_MS = 86_400_000;
/** A year's objects would take a test too long; these are cut into files as a service cuts them. */
const MANY = { ...LONG, orders: 3000, payments: 2500, perFile: 1000 };

/** The object as it is after a change that comes late: a tip, a closeout. */
function changed(text: string, by: Partial<Payment & Order>): string {
  const object = JSON.parse(text) as Order;
  return JSON.stringify({ ...object, ...by, modifiedTime: (object.modifiedTime ?? 0) + 1 });
}

describe('formats', () => {
  test.concurrent.each([false, true])('json: byte for byte as served; gzip %s', async (gzip) => {
    await using scene = await Scene.begin(MANY);
    const result = await scene.pull({ ...LONG, types: TYPES, format: 'json', gzip });
    const expected = servedOf(scene.far, TYPES, LONG_FROM, LONG_TO, 1000);
    expect(gzip ? await inflatedContents(scene.out) : await contents(scene.out)).toEqual(expected);
    expect(result.complete).toBe(true);
    expect(await verify(scene.out)).toMatchObject({ complete: true, faults: [] });
  });

  test.concurrent('jsonl with gzip inflates to the lines; also where there is none', async () => {
    await using scene = await Scene.begin({ ...MANY, from: LONG_FROM + 20 * DAY_MS });
    const result = await scene.pull({ ...LONG, types: TYPES, gzip: true });
    expect(result.receipt.ranges[0]?.objects).toBe(0);
    expect(await inflatedContents(scene.out)).toEqual(
      linesOf(scene.far, TYPES, LONG_FROM, LONG_TO),
    );
    expect(await verify(scene.out)).toMatchObject({ complete: true, faults: [] });
  });
});

describe('the receipt', () => {
  test('adds up, by a sum of its own', async () => {
    await using scene = await Scene.begin(MANY);
    const { receipt } = await scene.pull({ ...LONG, types: TYPES });
    expect(JSON.parse(await readFile(join(scene.out, 'receipt.json'), 'utf8'))).toEqual(receipt);

    const orders = scene.far.objects('ORDERS').map((text) => JSON.parse(text) as Order);
    const payments = scene.far.objects('PAYMENTS').map((text) => JSON.parse(text) as Payment);
    const sum = (values: (number | undefined)[]): number =>
      Number(values.reduce((all, value) => all + BigInt(value ?? 0), 0n));
    expect(receipt.totals.orders).toEqual([
      { currency: 'USD', objects: 3000, total: sum(orders.map(({ total }) => total)) },
    ]);
    expect(receipt.totals.payments).toEqual(
      ['FAIL', 'SUCCESS'].map((result) => {
        const of = payments.filter((payment) => payment.result === result);
        return {
          currency: 'USD',
          result,
          objects: of.length,
          amount: sum(of.map(({ amount }) => amount)),
          tipAmount: sum(of.map(({ tipAmount }) => tipAmount)),
          taxAmount: sum(of.map(({ taxAmount }) => taxAmount)),
        };
      }),
    );
    const january = orders.filter(({ createdTime }) => createdTime < Date.UTC(2026, 1, 1));
    expect(receipt.months.filter(({ type }) => type === 'ORDERS')[0]).toEqual({
      type: 'ORDERS',
      month: '2026-01',
      currency: 'USD',
      objects: january.length,
      amount: sum(january.map(({ total }) => total)),
    });
    for (const range of receipt.ranges) {
      const texts = scene.far.objects(range.type, range.startTime, range.endTime);
      const times = texts.map((text) => (JSON.parse(text) as Order).createdTime);
      expect(range).toMatchObject({
        objects: texts.length,
        outside: 0,
        firstCreatedTime: times[0],
        lastCreatedTime: times.at(-1),
      });
      expect(range.exports).toHaveLength(1);
    }
    expect(receipt.source).toEqual({ url: scene.far.url, merchant: 'M1' });
    expect(JSON.stringify(receipt)).not.toContain(scene.far.token);
  });
});

describe('a second pull', () => {
  test.concurrent.each(['jsonl', 'json'] as const)(
    'of the same: nothing is asked; %s',
    async (format) => {
      await using scene = await Scene.begin({ ...LONG, orders: 120 });
      await scene.pull({ ...LONG, format });
      const [before, created, fetched] = [
        await contents(scene.out),
        scene.count('create'),
        scene.count('file'),
      ];
      const again = await scene.pull(LONG);
      expect(again).toMatchObject({ complete: true, received: { objects: 0, bytes: 0 } });
      expect(await contents(scene.out)).toEqual(before);
      expect([scene.count('create'), scene.count('file')]).toEqual([created, fetched]);
    },
  );

  test.concurrent.each([
    ['jsonl', false],
    ['jsonl', true],
    ['json', false],
    ['json', true],
  ] as const)('that is longer equals a fresh one: %s, gzip %s', async (format, gzip) => {
    await using scene = await Scene.begin(MANY);
    const how = { format, gzip };
    await scene.pull({ ...how, from: '2026-01-03', to: '2026-02-10' });
    const created = scene.count('create');
    const result = await scene.pull({ ...how, ...LONG });
    const fresh = join(scene.directory, 'fresh');
    // Two pieces: what is missing before, and behind, of cells that were begun.
    expect(scene.count('create') - created).toBe(2);
    await scene.pull({ ...how, ...LONG, out: fresh });
    expect(await contents(scene.out)).toEqual(await contents(fresh));
    expect(result.complete).toBe(true);
    expect(await verify(scene.out)).toMatchObject({ complete: true, faults: [] });
    const spans = scene.far.exports
      .slice(created, created + 2)
      .map(({ request }) => [request.startTime, request.endTime]);
    expect(spans).toEqual([
      [LONG_FROM, Date.UTC(2026, 0, 3)],
      [Date.UTC(2026, 1, 10), LONG_TO],
    ]);
  });

  test.concurrent('that would leave a gap is refused', async () => {
    await using scene = await Scene.begin({ ...LONG, orders: 120 });
    await scene.pull({ from: LONG_FROM, to: '2026-01-10' });
    const before = await contents(scene.out);
    const error = await failureOf(scene.pull({ from: '2026-01-11', to: LONG_TO }), 'USAGE');
    expect(error.message).toMatch(/2026-01-01T00:00:00Z to 2026-01-10.*leave a gap/);
    expect(error.hint).toMatch(/Widen/);
    expect(await contents(scene.out)).toEqual(before);
    expect(await verify(scene.out)).toMatchObject({ complete: true });
  });

  test.concurrent('after a file was removed or cut off: that range is fetched again', async () => {
    await using scene = await Scene.begin({ ...LONG, orders: 120 });
    const expected = linesOf(scene.far, ['ORDERS'], LONG_FROM, LONG_TO);
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
    'is now by the far clock, which is %i ms off',
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

  test.concurrent('is at first that of a pull that was broken off, then now', async () => {
    await using scene = await Scene.begin({ faults: { failed: { times: 3 } } });
    const from = Date.now() - 50 * DAY_MS;
    const broken = await scene.pull({ from, to: undefined });
    expect(broken.failed).toHaveLength(1);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const ends: number[] = [];
    const dones: boolean[] = [];
    const onProgress = (event: PullEvent): void => {
      if (event.event === 'plan') ends.push(event.to);
      if (event.event === 'done') dones.push(event.complete);
    };
    const { receipt, complete } = await scene.pull({ from, to: undefined, onProgress });
    expect(complete).toBe(true);
    expect(dones).toEqual([true]);
    const [first = Number.NaN, second = Number.NaN] = ends;
    expect(ends).toHaveLength(2);
    expect(first).toBe(Date.parse(broken.receipt.spans[0]?.to ?? ''));
    expect(second).toBeGreaterThan(first);
    expect(Date.parse(receipt.spans[0]?.to ?? '')).toBe(second);
  });
});

describe('a directory of which nothing came', () => {
  test.concurrent('is bound to nothing: a mistake in the address or the format can be mended', async () => {
    await using scene = await Scene.begin();
    const stranger = scene.client({ token: 'not-the-token' });
    await failureOf(scene.pull({ format: 'json', gzip: true }, stranger), 'UNAUTHORIZED');
    const nowhere = scene.client({
      url: 'http://127.0.0.1:9999',
      retry: { ...RETRY, firstAttempts: 1 },
    });
    await failureOf(scene.pull({ timezone: 'Europe/Paris' }, nowhere), 'NETWORK');
    const { complete, receipt } = await scene.pull();
    expect(complete).toBe(true);
    expect(receipt).toMatchObject({ format: 'jsonl', gzip: false, timezone: 'UTC' });
    await failureOf(scene.pull({ gzip: true }), 'USAGE');
  });

  test.concurrent('a span that has not begun is refused', async () => {
    await using scene = await Scene.begin();
    const from = Date.now() + 5 * DAY_MS;
    const refused = await failureOf(scene.pull({ from, to: undefined }), 'USAGE');
    expect(refused.message).toMatch(/^from must lie in the past; got /);
  });
});

describe('several exports at once', () => {
  test.concurrent('no more than the far side takes, and the same result', async () => {
    await using scene = await Scene.begin({
      ...LONG,
      orders: 240,
      payments: 200,
      ready: { ms: 300 },
    });
    const types = TYPES;
    const pulled = scene.pull({ ...LONG, types, concurrency: 2 });
    await expectComplete(scene, pulled, linesOf(scene.far, types, LONG_FROM, LONG_TO));
    expect(scene.waits).toEqual([]);
  });

  test.concurrent('payments come one by one, too', async () => {
    await using scene = await Scene.begin({ ...LONG, orders: 20, payments: 150 });
    const payments: Payment[] = [];
    for await (const payment of scene.client().payments(LONG)) payments.push(payment);
    expect(payments.map((payment) => JSON.stringify(payment))).toEqual(
      scene.far.objects('PAYMENTS'),
    );
  });
});

describe('sinceLast', () => {
  test.concurrent.each([
    ['jsonl', false],
    ['jsonl', true],
    ['json', false],
  ] as const)('equals a fresh pull of the whole: %s, gzip %s', async (format, gzip) => {
    await using scene = await Scene.begin(MANY);
    const first = Date.UTC(2026, 1, 20);
    const how = { types: TYPES, format, gzip };
    await scene.pull({ ...how, from: LONG_FROM, to: first });
    const created = scene.count('create');
    // Within the last seven days some are changed, some are new.
    for (const type of TYPES) {
      const late = scene.far.objects(type, first - 7 * DAY_MS, first);
      const added = { ...(JSON.parse(late[0] ?? '') as Order), id: `NEW${type}` };
      scene.far.put(type, [
        ...late.slice(3, 9).map((text) => changed(text, { note: 'tip', total: 7, amount: 9 })),
        JSON.stringify(added),
      ]);
    }
    const result = await scene.pull({ ...how, sinceLast: true, to: LONG_TO });
    expect(scene.count('create') - created).toBe(2);
    const [asked] = scene.far.exports.slice(-1);
    expect(asked?.request.startTime).toBe(first - 7 * DAY_MS);
    await scene.pull({ ...how, ...LONG, out: join(scene.directory, 'fresh') });
    expect(await contents(scene.out)).toEqual(await contents(join(scene.directory, 'fresh')));
    expect(result.complete).toBe(true);
    expect(await verify(scene.out)).toMatchObject({ complete: true, faults: [] });
  });

  test.concurrent('over the edge of two ranges', async () => {
    await using scene = await Scene.begin(MANY);
    const first = Date.UTC(2026, 1, 9);
    await scene.pull({ from: LONG_FROM, to: first });
    const [old = '', young = ''] = [-6, -1].map(
      (days) => scene.far.objects('ORDERS', first + days * DAY_MS)[0],
    );
    scene.far.put('ORDERS', [changed(old, { note: 'a' }), changed(young, { note: 'b' })]);
    await scene.pull({ sinceLast: true, to: LONG_TO });
    expect(await contents(scene.out)).toEqual(linesOf(scene.far, ['ORDERS'], LONG_FROM, LONG_TO));
  });

  test.concurrent('what failed before is not forgotten', async () => {
    const faults = { failed: { times: 3 } };
    await using scene = await Scene.begin({ ...LONG, orders: 120, payments: 60, faults });
    const both = { from: LONG_FROM, to: Date.UTC(2026, 1, 20), types: TYPES };
    const broken = await scene.pull(both);
    expect(broken.failed.map(({ name }) => name)).toEqual(['orders/2026-01-01_2026-01-07']);
    // The payments alone do not make the directory complete.
    const payments = await scene.pull({ ...both, types: ['PAYMENTS'] });
    expect(payments.receipt.missing.map(({ name }) => name)).toEqual([
      'orders/2026-01-01_2026-01-07',
    ]);
    expect(payments.complete).toBe(false);
    expect((await verify(scene.out)).complete).toBe(false);
    const all = linesOf(scene.far, TYPES, LONG_FROM, LONG_TO);
    await expectComplete(scene, scene.pull({ types: TYPES, sinceLast: true, to: LONG_TO }), all);
  });

  test.concurrent('in a new directory there is no last time', async () => {
    await using scene = await Scene.begin();
    const error = await failureOf(scene.pull({ sinceLast: true }), 'USAGE');
    expect(error.message).toMatch(/holds no orders yet/);
  });
});
