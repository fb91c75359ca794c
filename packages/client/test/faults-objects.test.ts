import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExportType, Order } from '@tillroll/contract';
import { describe, expect, test } from 'vitest';
import { pretty, type Broken, type Faults, type Layout } from './fake-server/index.ts';
import {
  contents,
  expectComplete,
  failureOf,
  FROM,
  linesOf,
  LONG,
  LONG_EDGES,
  LONG_FROM,
  LONG_MONTHS,
  LONG_TO,
  MONTH,
  MONTH_FILE,
  monthsOf,
  Scene,
  TO,
} from './scene.ts';

async function iterated(scene: Scene, span: { from: number; to: number }): Promise<Order[]> {
  const orders: Order[] = [];
  for await (const order of scene.client().orders(span)) orders.push(order);
  return orders;
}

async function lines(scene: Scene, name: string): Promise<string[]> {
  const text = await readFile(join(scene.out, `${name}.jsonl`), 'utf8');
  return text.split('\n').slice(0, -1);
}

const parsed = (texts: readonly string[]): Order[] =>
  texts.map((text) => JSON.parse(text) as Order);

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
      linesOf(scene.fake, ['ORDERS'], LONG_FROM, LONG_EDGES[0]),
    );
    scene.fake.set({});
    const expected = linesOf(scene.fake, ['ORDERS'], LONG_FROM, LONG_TO);
    await expectComplete(scene, scene.pull(LONG), expected);
    scene.fake.set({ duplicate: { how } });
    await failureOf(iterated(scene, LONG), 'DUPLICATE_ID');
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
    expect(await lines(scene, LONG_MONTHS[0])).toEqual(january.slice(0, -1));
    expect((await lines(scene, LONG_MONTHS[1]))[0]).toBe(january.at(-1));
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
    const expected = linesOf(scene.fake, ['ORDERS'], LONG_FROM, LONG_TO);
    const result = await expectComplete(scene, scene.pull(LONG), expected);
    expect(result.receipt.files.every(({ outside }) => outside === 0)).toBe(true);
    expect(await iterated(scene, LONG)).toEqual(
      parsed(scene.fake.objects('ORDERS', LONG_FROM, LONG_TO)),
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
      const expected = parsed(scene.fake.objects('ORDERS', LONG_FROM, LONG_TO)).map((order) => {
        // The first month is the only one to have what lies at its beginning.
        const alone = order.createdTime === LONG_FROM ? (how === 'newer' ? shift : -3_600_000) : 0;
        const both = edges.includes(order.createdTime) ? shift : 0;
        return { ...order, modifiedTime: (order.modifiedTime ?? 0) + alone + both };
      });
      await scene.pull(LONG);
      const kept = await Promise.all(LONG_MONTHS.map((name) => lines(scene, name)));
      expect(parsed(kept.flat())).toEqual(expected);
      expect(await iterated(scene, LONG)).toEqual(expected);
      // By month, too; what only the export before gave as new stays in that month's file.
      if (how === 'older') return;
      expect(kept.map((of) => of.length)).toEqual(
        monthsOf(LONG_FROM, LONG_TO).map(
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
    const all = parsed(scene.fake.objects('ORDERS', LONG_FROM, LONG_TO));
    const kept = await Promise.all(LONG_MONTHS.map((name) => lines(scene, name)));
    expect(parsed(kept.flat())).toEqual(all);
    expect(await iterated(scene, { from, to: LONG_TO })).toEqual(all);
  });
});

describe('order', () => {
  test.concurrent.each([false, true])('unsorted objects come out sorted; gzip %s', async (gzip) => {
    await using scene = await Scene.begin({ faults: { unsorted: {} } });
    const result = await scene.pull({ gzip });
    expect(result.complete).toBe(true);
    expect(result.receipt.files[0]?.objects).toBe(45);
    if (!gzip) expect(await contents(scene.out)).toEqual(linesOf(scene.fake));
  });
});

describe('odd and broken objects', () => {
  test.concurrent('a note of 5 MB', async () => {
    await using scene = await Scene.begin({ faults: { huge: { at: 17 } } });
    await scene.pull();
    const kept = parsed(await lines(scene, MONTH));
    const note = 'né '.repeat(1_250_000);
    const expected = parsed(scene.fake.objects('ORDERS', FROM, TO)).map((order, i) =>
      i === 17 ? { ...order, note } : order,
    );
    expect(kept).toEqual(expected);
    expect(await iterated(scene, { from: FROM, to: TO })).toEqual(expected);
  });

  test.concurrent.each(['no-modifiedTime', 'id-path', 'proto'] satisfies Broken[])(
    '%s is kept as it is',
    async (how) => {
      await using scene = await Scene.begin({ faults: { broken: { how, at: 3 } } });
      const result = await scene.pull();
      expect(result.complete).toBe(true);
      const expected = scene.fake.exports[0]?.files.flat().map(String);
      expect(await lines(scene, MONTH)).toEqual(expected);
      expect(Object.keys(await contents(scene.out))).toEqual([MONTH_FILE]);
      expect({}).not.toHaveProperty('x');
    },
  );

  test.concurrent.each([
    ['no-id', /object 4 has no id/],
    ['id-number', /object 4 has no id/],
    ['id-empty', /object 4 has no id/],
    ['no-createdTime', /object \w{13} has no createdTime in whole milliseconds/],
    ['createdTime-string', /has no createdTime/],
    ['createdTime-far', /has no createdTime/],
    ['null', /an object expected/],
    ['number', /an object expected/],
    ['string', /an object expected/],
    ['array', /an object expected/],
    ['invalid-utf8', /object \w{13} is not UTF-8/],
    ['raw-newline', /a character that may stand in a string/],
    ['deep', /nesting of at most 512/],
    ['unbalanced', /no JSON|ends too early/],
  ] satisfies [Broken, RegExp][])('%s is a damaged file', async (how, message) => {
    await using scene = await Scene.begin({ faults: { broken: { how, at: 3 } } });
    const result = await scene.pull();
    expect(result.failed).toMatchObject([{ code: 'BAD_FILE' }]);
    expect(result.failed[0]?.message).toMatch(message);
    expect(result.failed[0]?.message).toMatch(/^file 0 of export \w{13} is damaged/);
    expect(scene.fake.requests.filter(({ position }) => position === 0)).toHaveLength(3);
    expect(await contents(scene.out)).toEqual({});
    await failureOf(iterated(scene, { from: FROM, to: TO }), 'BAD_FILE');
  });

  test.concurrent('an id of 70,000 characters is a damaged file, no crash', async () => {
    await using scene = await Scene.begin();
    scene.fake.put('ORDERS', [JSON.stringify({ id: 'x'.repeat(70_000), createdTime: FROM })]);
    const result = await scene.pull();
    expect(result.failed).toMatchObject([{ code: 'BAD_FILE' }]);
    expect(result.failed[0]?.message).toMatch(/an id of over 256 characters/);
    expect(result.failed[0]?.message.length).toBeLessThan(300);
  });
});

describe('files of another layout', () => {
  /** An object as `pretty` spreads it, without the line breaks between tokens. */
  const spread = (text: string): string =>
    pretty(text)
      .split(/("(?:[^"\\]|\\.)*")/s)
      .map((part, i) => (i % 2 === 1 ? part : part.replaceAll(/[\r\n]/g, '')))
      .join('');

  test.concurrent.each([
    ['pretty', spread],
    ['lines', (text: string) => text],
    ['bom', (text: string) => text],
  ] satisfies [Layout, (text: string) => string][])('%s', async (how, lineOf) => {
    await using scene = await Scene.begin({ faults: { layout: { how } } });
    await expectComplete(scene, scene.pull(), linesOf(scene.fake, ['ORDERS'], FROM, TO, lineOf));
    expect(await iterated(scene, { from: FROM, to: TO })).toEqual(
      parsed(scene.fake.objects('ORDERS', FROM, TO)),
    );
  });

  test.concurrent('pretty, unsorted and at an edge: merged without a loss', async () => {
    const faults: Faults = {
      layout: { how: 'pretty' },
      unsorted: {},
      bounds: { how: 'inclusive' },
    };
    await using scene = await Scene.begin({ ...LONG, orders: 120, faults });
    const expected = linesOf(scene.fake, ['ORDERS'], LONG_FROM, LONG_TO, spread);
    await expectComplete(scene, scene.pull(LONG), expected);
  });

  test.concurrent.each([
    'more-members',
    'no-end',
    'garbage-after',
    'two-documents',
    'trailing-comma',
    'bare-array',
    'other-member',
    'elements-object',
    'elements-twice',
    'nothing',
  ] satisfies Layout[])('%s is a damaged file', async (how) => {
    await using scene = await Scene.begin({ faults: { layout: { how } } });
    const result = await scene.pull();
    expect(result.failed).toMatchObject([{ code: 'BAD_FILE' }]);
    expect(result.failed[0]?.message).toMatch(/^file \d of export \w{13} is damaged: .*byte \d+/);
    expect(await contents(scene.out)).toEqual({});
  });
});

describe('Clover: what it does not document is not asked for', () => {
  test('several months of both types', async () => {
    const types: ExportType[] = ['ORDERS', 'PAYMENTS'];
    const faults: Faults = { order: { how: 'reversed' } };
    await using scene = await Scene.begin({
      ...LONG,
      orders: 120,
      payments: 90,
      tillroll: false,
      faults,
    });
    const expected = linesOf(scene.fake, types, LONG_FROM, LONG_TO);
    await expectComplete(scene, scene.pull({ ...LONG, types }), expected);
    const others = scene.fake.requests.filter(({ kind, method, path }) => {
      const exports = `/v3/merchants/${scene.fake.merchant}/exports`;
      const isCreate = kind === 'create' && method === 'POST' && path === exports;
      const isRead = kind === 'read' && method === 'GET' && path.startsWith(`${exports}/`);
      return !isCreate && !isRead && !(kind === 'file' && method === 'GET');
    });
    expect(new Set(others.map(({ path }) => path))).toEqual(new Set(['/v3/availability']));
    const files = scene.fake.requests.filter(({ kind }) => kind === 'file');
    expect(files.every(({ range }) => range === undefined)).toBe(true);
    for (const { body = '' } of scene.fake.requests.filter(({ kind }) => kind === 'create'))
      expect(Object.keys(JSON.parse(body) as object)).toEqual(['type', 'startTime', 'endTime']);
    expect(scene.count('create')).toBe(6);
  });
});
