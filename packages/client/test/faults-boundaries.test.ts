import { join } from 'node:path';
import type { Order } from '@tillroll/contract';
import { describe, expect, test } from 'vitest';
import type { Faults } from './fake-server/index.ts';
import { iterateOrders, parseOrders, readLines } from './pulled-orders.ts';
import {
  contents,
  expectComplete,
  catchFailure,
  makeLines,
  LONG,
  LONG_EDGES,
  LONG_FROM,
  LONG_MONTHS,
  LONG_TO,
  listMonths,
  Scene,
} from './scene.ts';

describe('an id twice', () => {
  test.concurrent.each(['in-file', 'across-files'] as const)('%s', async (how) => {
    const orders = 120;
    await using scene = await Scene.begin({
      ...LONG,
      orders,
      faults: { duplicate: { how, after: 1, times: 3 } },
    });
    const middle = scene.fake.objects('ORDERS', LONG_EDGES[0]);
    const { id } = JSON.parse(middle[0] ?? '') as Order;
    const result = await scene.pull(LONG);
    expect(result.complete).toBe(false);
    expect(result.failed.map(({ name, code }) => [name, code])).toEqual([
      [LONG_MONTHS[1], 'DUPLICATE_ID'],
      [LONG_MONTHS[2], 'DUPLICATE_ID'],
    ]);
    expect(result.failed[0]?.message).toMatch(
      new RegExp(`^export ${scene.fake.exports[1]?.id} holds the id "${id}" twice`),
    );
    expect(result.failed[0]?.hint).toMatch(/service is at fault/);
    // The month before them is there, and nothing of theirs.
    expect(await contents(scene.out)).toEqual(
      makeLines(scene.fake, ['ORDERS'], LONG_FROM, LONG_EDGES[0]),
    );
    scene.fake.set({});
    const expected = makeLines(scene.fake, ['ORDERS'], LONG_FROM, LONG_TO);
    await expectComplete(scene, scene.pull(LONG), expected);
    scene.fake.set({ duplicate: { how } });
    await catchFailure(iterateOrders(scene, LONG), 'DUPLICATE_ID');
  });

  test.concurrent('in one export and in another: once, of the later export; told, counted', async () => {
    const faults: Faults = { duplicate: { how: 'across-exports', after: 1, times: 1 } };
    await using scene = await Scene.begin({ ...LONG, orders: 120, faults });
    const warnings: string[] = [];
    const result = await scene.pull({
      ...LONG,
      onProgress: (event) => event.event === 'warning' && warnings.push(event.message),
    });
    expect(result.complete).toBe(true);
    expect(result.receipt.files.map(({ outside }) => outside)).toEqual([0, 1, 0]);
    expect(result.receipt.objects).toBe(120);
    const january = scene.fake.objects('ORDERS', LONG_FROM, LONG_EDGES[0]);
    expect(await readLines(scene, LONG_MONTHS[0])).toEqual(january.slice(0, -1));
    expect((await readLines(scene, LONG_MONTHS[1]))[0]).toBe(january.at(-1));
    expect(warnings.join()).toMatch(/orders\/2026-02: .* 1 objects? whose createdTime is outside/);
  });
});

describe('bounds of another kind', () => {
  const edges: readonly number[] = LONG_EDGES;

  test.concurrent('inclusive: what lies at an edge is kept once', async () => {
    await using scene = await Scene.begin({
      ...LONG,
      orders: 120,
      faults: { bounds: { how: 'inclusive' } },
    });
    // At the very end of the span something lies, too: it is outside.
    const at = scene.fake.objects('ORDERS')[5] ?? '';
    const last = JSON.stringify({
      ...(JSON.parse(at) as Order),
      id: 'ATTHEVERYEND0',
      createdTime: LONG_TO,
    });
    scene.fake.put('ORDERS', [last]);
    for (const edge of edges)
      expect(scene.fake.objects('ORDERS', edge, edge + 1).length).toBeGreaterThan(0);
    const expected = makeLines(scene.fake, ['ORDERS'], LONG_FROM, LONG_TO);
    const result = await expectComplete(scene, scene.pull(LONG), expected);
    expect(result.receipt.files.every(({ outside }) => outside === 0)).toBe(true);
    expect(await iterateOrders(scene, LONG)).toEqual(
      parseOrders(scene.fake.objects('ORDERS', LONG_FROM, LONG_TO)),
    );
    // Again: nothing is left to be done.
    const asked = scene.count('create');
    await expectComplete(scene, scene.pull(LONG), expected);
    expect(scene.count('create')).toBe(asked);
  });

  test.concurrent('inclusive, and pulled in two steps that meet at an object', async () => {
    const faults: Faults = { bounds: { how: 'inclusive' } };
    await using scene = await Scene.begin({ ...LONG, orders: 120, perFile: 1000, faults });
    const [middle = ''] = scene.fake.objects('ORDERS', Date.UTC(2026, 0, 20));
    const to = (JSON.parse(middle) as Order).createdTime;
    const first = await scene.pull({ from: LONG_FROM, to });
    expect(first.receipt.objects).toBe(scene.fake.objects('ORDERS', LONG_FROM, to).length);
    await scene.pull(LONG);
    const fresh = join(scene.directory, 'fresh');
    const { receipt } = await scene.pull({ ...LONG, out: fresh });
    expect(await contents(scene.out)).toEqual(await contents(fresh));
    expect(receipt.objects).toBe(120);
  });

  test.concurrent.each(['newer', 'older'] as const)(
    'inclusive, and %s in the later export: the newest modifiedTime wins',
    async (how) => {
      const faults: Faults = { bounds: { how: 'inclusive' }, edge: { how } };
      await using scene = await Scene.begin({ ...LONG, orders: 120, faults });
      const shift = how === 'newer' ? 3_600_000 : 0;
      const expected = parseOrders(scene.fake.objects('ORDERS', LONG_FROM, LONG_TO)).map(
        (order) => {
          // The first month is the only one to have what lies at its beginning.
          const alone =
            order.createdTime === LONG_FROM ? (how === 'newer' ? shift : -3_600_000) : 0;
          const both = edges.includes(order.createdTime) ? shift : 0;
          return { ...order, modifiedTime: (order.modifiedTime ?? 0) + alone + both };
        },
      );
      await scene.pull(LONG);
      const kept = await Promise.all(LONG_MONTHS.map((name) => readLines(scene, name)));
      expect(parseOrders(kept.flat())).toEqual(expected);
      expect(await iterateOrders(scene, LONG)).toEqual(expected);
      // By month, too; what only the export before gave as new stays in that month's file.
      if (how === 'older') return;
      expect(kept.map((of) => of.length)).toEqual(
        listMonths(LONG_FROM, LONG_TO).map(
          ({ from, to }) => scene.fake.objects('ORDERS', from, to).length,
        ),
      );
    },
  );

  test.concurrent('exclusive at the start, inclusive at the end: nothing between is lost', async () => {
    const faults: Faults = { bounds: { how: 'exclusive-start' } };
    // Nothing of ours is at the very start, which such a server never gives.
    const from = LONG_FROM - 1000;
    await using scene = await Scene.begin({ ...LONG, orders: 120, perFile: 1000, faults });
    const result = await scene.pull({ from, to: LONG_TO });
    expect(result.complete).toBe(true);
    const all = parseOrders(scene.fake.objects('ORDERS', LONG_FROM, LONG_TO));
    const kept = await Promise.all(LONG_MONTHS.map((name) => readLines(scene, name)));
    expect(parseOrders(kept.flat())).toEqual(all);
    expect(await iterateOrders(scene, { from, to: LONG_TO })).toEqual(all);
  });
});
