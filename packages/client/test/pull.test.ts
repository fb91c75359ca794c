import { readdir, readFile, truncate, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExportType, Order, Payment } from '@tillroll/contract';
import { describe, expect, test, vi } from 'vitest';
import { verify, type PullEvent } from '../src/files.ts';
import {
  contents,
  expectComplete,
  failureOf,
  FROM,
  inflatedContents,
  linesOf,
  LONG,
  LONG_EDGES,
  LONG_FROM,
  LONG_MONTHS,
  LONG_TO,
  RETRY,
  Scene,
  TO,
} from './scene.ts';

const TYPES: ExportType[] = ['ORDERS', 'PAYMENTS'];
const DAY_MS = 86_400_000;
/** A year's objects would take a test too long; these are cut into files as a service cuts them. */
const MANY = { ...LONG, orders: 3000, payments: 2500, perFile: 1000 };

/** The ids of all lines of a directory's orders, in the order of its files. */
async function orderIds(out: string): Promise<string[]> {
  const ids: string[] = [];
  for (const name of (await readdir(join(out, 'orders'))).toSorted())
    for (const line of (await readFile(join(out, 'orders', name), 'utf8')).split('\n').slice(0, -1))
      ids.push((JSON.parse(line) as Order).id);
  return ids;
}

/** The object as it is after a change that comes late: a tip, a closeout. */
function changed(text: string, by: Partial<Payment & Order>): string {
  const object = JSON.parse(text) as Order;
  return JSON.stringify({ ...object, ...by, modifiedTime: (object.modifiedTime ?? 0) + 1 });
}

describe('files', () => {
  test.concurrent('with gzip inflate to the lines; also where there is nothing', async () => {
    await using scene = await Scene.begin({ ...MANY, from: LONG_FROM + 20 * DAY_MS });
    const result = await scene.pull({ ...LONG, types: TYPES, gzip: true });
    expect(result.receipt.files[0]?.objects).toBe(0);
    expect(await inflatedContents(scene.out)).toEqual(
      linesOf(scene.fake, TYPES, LONG_FROM, LONG_TO),
    );
    expect(await verify(scene.out)).toMatchObject({ complete: true, faults: [] });
  });

  test.concurrent('of a month of 31 days come from two exports', async () => {
    const span = { from: Date.UTC(2026, 0, 1), to: Date.UTC(2026, 3, 1) };
    await using scene = await Scene.begin({ ...span, orders: 300 });
    const { receipt } = await expectComplete(
      scene,
      scene.pull(span),
      linesOf(scene.fake, ['ORDERS'], span.from, span.to),
    );
    expect(receipt.files.map(({ path, exports }) => [path, exports.length])).toEqual([
      ['orders/2026-01.jsonl', 2],
      ['orders/2026-02.jsonl', 1],
      ['orders/2026-03.jsonl', 2],
    ]);
    const [first, second] = scene.fake.exports;
    expect(first?.request.endTime).toBe(Date.UTC(2026, 0, 16));
    expect(second?.request.startTime).toBe(Date.UTC(2026, 0, 16));
  });

  test.concurrent("are named after the months of the directory's zone", async () => {
    const timezone = 'America/New_York';
    await using scene = await Scene.begin({ ...LONG, orders: 240 });
    const { receipt } = await scene.pull({ from: '2026-01-20', to: '2026-03-10', timezone });
    const edges = [Date.UTC(2026, 0, 20, 5), Date.UTC(2026, 1, 1, 5), Date.UTC(2026, 2, 1, 5)];
    // Summer time began on 8 March.
    const ends = [...edges.slice(1), Date.UTC(2026, 2, 10, 4)];
    expect(receipt.files.map(({ path, covers }) => [path, covers])).toEqual(
      edges.map((startTime, i) => [
        `orders/2026-0${i + 1}.jsonl`,
        [{ startTime, endTime: ends[i] }],
      ]),
    );
    for (const [i, { objects }] of receipt.files.entries())
      expect(objects).toBe(scene.fake.objects('ORDERS', edges[i], ends[i]).length);
  });
});

describe('the receipt', () => {
  test('adds up, by a sum of its own', async () => {
    await using scene = await Scene.begin(MANY);
    const { receipt } = await scene.pull({ ...LONG, types: TYPES });
    expect(JSON.parse(await readFile(join(scene.out, 'receipt.json'), 'utf8'))).toEqual(receipt);

    const orders = scene.fake.objects('ORDERS').map((text) => JSON.parse(text) as Order);
    const payments = scene.fake.objects('PAYMENTS').map((text) => JSON.parse(text) as Payment);
    const sum = (values: (number | undefined)[]): number =>
      Number(values.reduce((all, value) => all + BigInt(value ?? 0), 0n));
    const refundsOf = (objects: readonly { refunds?: { elements: { amount?: number }[] } }[]) => {
      const all = objects.flatMap(({ refunds }) => refunds?.elements ?? []);
      return { refunds: all.length, refundAmount: sum(all.map(({ amount }) => amount)) };
    };
    const total = sum(orders.map((order) => order.total));
    const refunded = refundsOf(orders);
    expect(receipt.totals.orders).toEqual([
      {
        currency: 'USD',
        objects: 3000,
        total,
        ...refunded,
        net: total - refunded.refundAmount,
        uncounted: 0,
      },
    ]);
    expect(receipt.totals.payments).toEqual(
      ['FAIL', 'SUCCESS'].map((result) => {
        const of = payments.filter((payment) => payment.result === result);
        const amount = sum(of.map((payment) => payment.amount));
        const refunds = refundsOf(of);
        return {
          currency: 'USD',
          result,
          objects: of.length,
          amount,
          ...refunds,
          net: (result === 'SUCCESS' ? amount : 0) - refunds.refundAmount,
          uncounted: 0,
          tipAmount: sum(of.map(({ tipAmount }) => tipAmount)),
          taxAmount: sum(of.map(({ taxAmount }) => taxAmount)),
        };
      }),
    );
    const january = orders.filter(({ createdTime }) => createdTime < LONG_EDGES[0]);
    const amount = sum(january.map((order) => order.total));
    const { refundAmount } = refundsOf(january);
    expect(receipt.months.filter(({ type }) => type === 'ORDERS')[0]).toEqual({
      type: 'ORDERS',
      month: '2026-01',
      currency: 'USD',
      objects: january.length,
      amount,
      refundAmount,
      net: amount - refundAmount,
    });
    expect(receipt.files).toHaveLength(6);
    for (const file of receipt.files) {
      const [{ startTime, endTime } = { startTime: 0, endTime: 0 }, ...others] = file.covers;
      expect(others).toEqual([]);
      const texts = scene.fake.objects(file.type, startTime, endTime);
      const times = texts.map((text) => (JSON.parse(text) as Order).createdTime);
      expect(file).toMatchObject({
        objects: texts.length,
        outside: 0,
        firstCreatedTime: times[0],
        lastCreatedTime: times.at(-1),
      });
      expect(file.exports).toHaveLength(1);
    }
    expect(receipt.source).toEqual({ url: scene.fake.url, merchant: 'M1' });
    expect(JSON.stringify(receipt)).not.toContain(scene.fake.token);
  });
});

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
    const error = await failureOf(scene.pull({ from: '2026-01-21', to: LONG_TO }), 'USAGE');
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
    const expected = linesOf(scene.fake, ['ORDERS'], LONG_FROM, LONG_TO);
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
    // What was asked for before is not asked for again.
    const added = scene.fake.exports.map(({ request }) => request.startTime).slice(asked.length);
    expect(added[0]).toBe(firstEnd);
    expect(new Set([...asked, ...added]).size).toBe(asked.length + added.length);
  });
});

describe('a directory of which nothing came', () => {
  test.concurrent('is bound to nothing: a mistake in the address or an option can be fixed', async () => {
    await using scene = await Scene.begin();
    const stranger = scene.client({ token: 'not-the-token' });
    await failureOf(scene.pull({ gzip: true }, stranger), 'UNAUTHORIZED');
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
  test.concurrent('no more than the fake server takes, and the same result', async () => {
    await using scene = await Scene.begin({
      ...LONG,
      orders: 240,
      payments: 200,
      ready: { ms: 300 },
    });
    const types = TYPES;
    const pulled = scene.pull({ ...LONG, types, concurrency: 2 });
    await expectComplete(scene, pulled, linesOf(scene.fake, types, LONG_FROM, LONG_TO));
    expect(scene.waits).toEqual([]);
  });

  test.concurrent('payments come one by one, too', async () => {
    await using scene = await Scene.begin({ ...LONG, orders: 20, payments: 150 });
    const payments: Payment[] = [];
    for await (const payment of scene.client().payments(LONG)) payments.push(payment);
    expect(payments.map((payment) => JSON.stringify(payment))).toEqual(
      scene.fake.objects('PAYMENTS'),
    );
  });
});

describe('sinceLast', () => {
  test.concurrent.each([false, true])('equals a fresh pull of the whole; gzip %s', async (gzip) => {
    await using scene = await Scene.begin(MANY);
    const first = Date.UTC(2026, 1, 20);
    const how = { types: TYPES, gzip };
    await scene.pull({ ...how, from: LONG_FROM, to: first });
    const created = scene.count('create');
    // Within the last seven days some are changed, some are new.
    for (const type of TYPES) {
      const late = scene.fake.objects(type, first - 7 * DAY_MS, first);
      const added = { ...(JSON.parse(late[0] ?? '') as Order), id: `NEW${type}` };
      scene.fake.put(type, [
        ...late.slice(3, 9).map((text) => changed(text, { note: 'tip', total: 7, amount: 9 })),
        JSON.stringify(added),
      ]);
    }
    const result = await scene.pull({ ...how, sinceLast: true, to: LONG_TO });
    const asked = scene.fake.exports.slice(created).map(({ request }) => request);
    const overlap = [first - 7 * DAY_MS, LONG_EDGES[1], LONG_TO];
    expect(asked.map(({ type, startTime, endTime }) => [type, startTime, endTime])).toEqual(
      TYPES.flatMap((type) => [
        [type, overlap[0], overlap[1]],
        [type, overlap[1], overlap[2]],
      ]),
    );
    await scene.pull({ ...how, ...LONG, out: join(scene.directory, 'fresh') });
    // The same lines may be cut into other gzip members.
    const read = gzip ? inflatedContents : contents;
    expect(await read(scene.out)).toEqual(await read(join(scene.directory, 'fresh')));
    expect(result.complete).toBe(true);
    expect(await verify(scene.out)).toMatchObject({ complete: true, faults: [] });
  });

  test.concurrent('over the end of a month', async () => {
    await using scene = await Scene.begin(MANY);
    const first = Date.UTC(2026, 2, 4);
    await scene.pull({ from: LONG_FROM, to: first });
    const [old = '', young = ''] = [-6, -1].map(
      (days) => scene.fake.objects('ORDERS', first + days * DAY_MS)[0],
    );
    scene.fake.put('ORDERS', [changed(old, { note: 'a' }), changed(young, { note: 'b' })]);
    await scene.pull({ sinceLast: true, to: LONG_TO });
    expect(await contents(scene.out)).toEqual(linesOf(scene.fake, ['ORDERS'], LONG_FROM, LONG_TO));
  });

  test.concurrent('what failed before is not forgotten', async () => {
    const faults = { failed: { times: 3 } };
    await using scene = await Scene.begin({ ...LONG, orders: 120, payments: 60, faults });
    const both = { from: LONG_FROM, to: Date.UTC(2026, 1, 20), types: TYPES };
    const broken = await scene.pull(both);
    expect(broken.failed.map(({ name }) => name)).toEqual([LONG_MONTHS[0]]);
    // The payments alone do not make the directory complete.
    const payments = await scene.pull({ ...both, types: ['PAYMENTS'] });
    expect(payments.receipt.missing.map(({ name }) => name)).toEqual([LONG_MONTHS[0]]);
    expect(payments.complete).toBe(false);
    expect((await verify(scene.out)).complete).toBe(false);
    const all = linesOf(scene.fake, TYPES, LONG_FROM, LONG_TO);
    await expectComplete(scene, scene.pull({ types: TYPES, sinceLast: true, to: LONG_TO }), all);
  });

  test.concurrent('keeps the names of files', async () => {
    await using scene = await Scene.begin(MANY);
    await scene.pull({ from: LONG_FROM, to: '2026-02-10' });
    const names: string[][] = [];
    for (const to of ['2026-02-11', '2026-02-20', '2026-03-01', '2026-03-02', '2026-03-16']) {
      await scene.pull({ sinceLast: true, to });
      names.push(await readdir(join(scene.out, 'orders')));
    }
    const [january, february, march] = LONG_MONTHS.map((name) => `${name.slice(7)}.jsonl`);
    expect(names).toEqual([
      [january, february],
      [january, february],
      [january, february],
      [january, february, march],
      [january, february, march],
    ]);
    expect(await contents(scene.out)).toEqual(linesOf(scene.fake, ['ORDERS'], LONG_FROM, LONG_TO));
  });

  test.concurrent('an order that moved to another month is there once', async () => {
    await using scene = await Scene.begin(MANY);
    const first = Date.UTC(2026, 2, 4);
    await scene.pull({ from: LONG_FROM, to: first });
    const before = await orderIds(scene.out);
    const [old = ''] = scene.fake.objects('ORDERS', Date.UTC(2026, 0, 20));
    const { id, modifiedTime } = JSON.parse(old) as Order;
    const later = { createdTime: first - DAY_MS, modifiedTime: modifiedTime + 1, total: 7 };
    scene.fake.put('ORDERS', [JSON.stringify({ ...(JSON.parse(old) as Order), ...later })]);
    await scene.pull({ sinceLast: true, to: first + 1 });
    const ids = await orderIds(scene.out);
    expect(ids.filter((other) => other === id)).toHaveLength(1);
    expect(ids.toSorted()).toEqual(
      scene.fake
        .objects('ORDERS', LONG_FROM, first + 1)
        .map((text) => (JSON.parse(text) as Order).id)
        .toSorted(),
    );
    expect(ids.length).toBeGreaterThanOrEqual(before.length);
    expect(await verify(scene.out)).toMatchObject({ complete: true, faults: [] });
    // Later pulls continue as ever.
    const result = await expectComplete(
      scene,
      scene.pull({ sinceLast: true, to: LONG_TO }),
      linesOf(scene.fake, ['ORDERS'], LONG_FROM, LONG_TO),
    );
    const orders = scene.fake.objects('ORDERS').map((text) => JSON.parse(text) as Order);
    expect(result.receipt.totals.orders).toMatchObject([
      {
        currency: 'USD',
        objects: orders.length,
        total: orders.reduce((sum, { total }) => sum + (total ?? 0), 0),
      },
    ]);
  });

  test.concurrent('in a new directory there is no last time', async () => {
    await using scene = await Scene.begin();
    const error = await failureOf(scene.pull({ sinceLast: true }), 'USAGE');
    expect(error.message).toMatch(/holds no orders yet/);
  });
});

describe('a preview', () => {
  test.concurrent('says what would be fetched, and does nothing', async () => {
    await using scene = await Scene.begin({ ...MANY, orders: 100, payments: 100 });
    const client = scene.client();
    const options = { ...LONG, types: TYPES, out: scene.out };
    const preview = await client.preview(options);
    expect(
      preview.months.map(({ path, isComplete, exports }) => [path, isComplete, exports.length]),
    ).toEqual(
      TYPES.flatMap((type) =>
        ['2026-01', '2026-02', '2026-03'].map((month) => [
          `${type.toLowerCase()}/${month}.jsonl`,
          false,
          1,
        ]),
      ),
    );
    expect(scene.count('create')).toBe(0);
    expect(await readdir(scene.directory)).toEqual([]);

    await client.pull(options);
    const before = await contents(scene.out);
    await unlink(join(scene.out, 'orders/2026-02.jsonl'));
    const later = await client.preview(options);
    expect(later.months.filter(({ isComplete }) => !isComplete)).toMatchObject([
      { path: 'orders/2026-02.jsonl', exports: [{ id: null }] },
    ]);
    expect(later).toMatchObject({
      from: LONG_FROM,
      to: LONG_TO,
      format: 'jsonl',
      timezone: 'UTC',
    });
    await client.pull(options);
    expect(await contents(scene.out)).toEqual(before);
    expect((await client.preview(options)).months.every(({ isComplete }) => isComplete)).toBe(true);
  });

  test.concurrent('refuses what a pull would refuse', async () => {
    await using scene = await Scene.begin();
    await scene.pull();
    const options = { types: ['ORDERS' as const], from: LONG_FROM, to: LONG_TO, out: scene.out };
    await failureOf(scene.client().preview({ ...options, format: 'csv' }), 'USAGE');
    await failureOf(scene.client().preview({ ...options, columns: ['id'] }), 'USAGE');
    await failureOf(scene.client().preview({ ...options, csvBom: true }), 'USAGE');
    await failureOf(scene.client().preview({ ...options, to: LONG_FROM }), 'USAGE');
  });
});

describe('a pull', () => {
  test.concurrent('of 3,000 files is complete', { timeout: 120_000 }, async () => {
    await using scene = await Scene.begin({ orders: 3000, perFile: 1 });
    await expectComplete(scene, scene.pull());
    expect(scene.count('file')).toBe(3000);
  });

  test.concurrent('beside another one of the same client is told its own waits alone', async () => {
    await using scene = await Scene.begin({
      payments: 45,
      faults: { status: { on: 'file', status: 500, per: 'path', times: 1 } },
    });
    const client = scene.client();
    const waits: Record<string, string[]> = { ORDERS: [], PAYMENTS: [] };
    const pulls = (['ORDERS', 'PAYMENTS'] as const).map((type) =>
      client.pull({
        types: [type],
        from: FROM,
        to: TO,
        out: join(scene.directory, type),
        onProgress: (event) => {
          if (event.event === 'waiting') waits[type]?.push(event.message);
        },
      }),
    );
    const results = await Promise.all(pulls);
    for (const { complete, receipt } of results) {
      expect(complete).toBe(true);
      const [file] = receipt.files;
      const told = waits[file?.type ?? ''] ?? [];
      expect(told.length).toBeGreaterThan(0);
      for (const message of told) expect(message).toContain(`of export ${file?.exports[0]}:`);
    }
  });

  test.concurrent('of what is there needs no server', async () => {
    await using scene = await Scene.begin();
    await scene.pull();
    const before = await contents(scene.out);
    await scene.fake.close();
    expect(await scene.pull()).toMatchObject({ complete: true, failed: [] });
    expect(await contents(scene.out)).toEqual(before);
  });

  test.concurrent('that ends as a whole says so of the month that ended it alone', async () => {
    await using scene = await Scene.begin({
      ...MANY,
      faults: { status: { on: 'create', status: 403 } },
    });
    const failed: string[] = [];
    const onProgress = (event: PullEvent): void => {
      if (event.event === 'month' && event.month.stage === 'failed')
        failed.push(`${event.month.name}: ${event.month.message}`);
    };
    await failureOf(scene.pull({ ...LONG, concurrency: 3, onProgress }), 'REFUSED');
    expect(failed).toEqual([expect.stringMatching(/^orders\/2026-01: .*403/)]);
  });
});
