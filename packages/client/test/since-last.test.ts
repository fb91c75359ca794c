import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Order, Payment } from '@tillroll/contract';
import { describe, expect, test } from 'vitest';
import { verify } from '../src/files.ts';
import { DAY_MS, MANY, TYPES } from './many-objects.ts';
import { orderIds } from './pulled-orders.ts';
import {
  contents,
  expectComplete,
  catchFailure,
  inflatedContents,
  makeLines,
  LONG,
  LONG_EDGES,
  LONG_FROM,
  LONG_MONTHS,
  LONG_TO,
  Scene,
} from './scene.ts';

/** The object as it is after a change that comes late: a tip, a closeout. */
function changed(text: string, by: Partial<Payment & Order>): string {
  const object = JSON.parse(text) as Order;
  return JSON.stringify({ ...object, ...by, modifiedTime: (object.modifiedTime ?? 0) + 1 });
}

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
    expect(await contents(scene.out)).toEqual(
      makeLines(scene.fake, ['ORDERS'], LONG_FROM, LONG_TO),
    );
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
    const all = makeLines(scene.fake, TYPES, LONG_FROM, LONG_TO);
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
    expect(await contents(scene.out)).toEqual(
      makeLines(scene.fake, ['ORDERS'], LONG_FROM, LONG_TO),
    );
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
      makeLines(scene.fake, ['ORDERS'], LONG_FROM, LONG_TO),
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
    const error = await catchFailure(scene.pull({ sinceLast: true }), 'USAGE');
    expect(error.message).toMatch(/holds no orders yet/);
  });
});
