import { readdir, readFile, rm, truncate, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExportType, Order, Payment } from '@tillroll/contract';
import { describe, expect, test } from 'vitest';
import { verify, type Receipt } from '../src/files/index.ts';
import {
  contents,
  expectComplete,
  failureOf,
  FROM,
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

const idOf = (text: string): string => (JSON.parse(text) as Order).id;

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
    const how = { types: TYPES, format, gzip };
    await scene.pull({ ...how, from: '2026-01-03', to: '2026-02-10' });
    const created = scene.count('create');
    const result = await scene.pull({ ...how, ...LONG });
    const fresh = join(scene.directory, 'fresh');
    // Two pieces for each type: what is missing before, and behind, of cells that were begun.
    expect(scene.count('create') - created).toBe(4);
    await scene.pull({ ...how, ...LONG, out: fresh });
    expect(await contents(scene.out)).toEqual(await contents(fresh));
    expect(result.complete).toBe(true);
    expect(await verify(scene.out)).toMatchObject({ complete: true, faults: [] });
    const spans = scene.far.exports
      .slice(created, created + 4)
      .map(({ request }) => [request.startTime, request.endTime]);
    expect(spans).toEqual(
      [0, 1].flatMap(() => [
        [LONG_FROM, Date.UTC(2026, 0, 3)],
        [Date.UTC(2026, 1, 10), LONG_TO],
      ]),
    );
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

describe('verify', () => {
  async function pulled(): Promise<Scene & { path: string }> {
    const scene = await Scene.begin();
    const { receipt } = await scene.pull();
    return Object.assign(scene, { path: receipt.ranges[0]?.files[0]?.path ?? '' });
  }

  test('finds an altered byte, a file cut off, one that is missing', async () => {
    await using scene = await pulled();
    const at = join(scene.out, scene.path);
    const good = await readFile(at);
    const one = async (): Promise<string> => {
      const { complete, faults } = await verify(scene.out);
      expect(complete).toBe(false);
      expect(faults.length).toBeGreaterThan(0);
      expect(faults[0]?.path).toBe(scene.path);
      return faults.map(({ message }) => message).join('; ');
    };
    const altered = Buffer.from(good);
    const digit = altered.indexOf('"total":') + 8;
    altered[digit] = altered[digit] === 0x31 ? 0x32 : 0x31;
    await writeFile(at, altered);
    expect(await one()).toMatch(/was altered: its SHA-256/);
    await writeFile(at, good.subarray(0, -1));
    expect(await one()).toMatch(/has \d+ bytes, and the receipt says \d+/);
    await rm(at);
    expect(await one()).toMatch(/is missing/);
    await writeFile(at, good);
    expect(await verify(scene.out)).toMatchObject({
      complete: true,
      checked: { files: 1, objects: 45 },
    });
  });

  const range = (receipt: Receipt): Receipt['ranges'][number] => receipt.ranges[0] as never;
  const edits: [string, (receipt: Receipt) => void][] = [
    ['a total', ({ totals }) => void ((totals.orders[0] as { total: number }).total += 1)],
    ['a month', ({ months }) => void ((months[0] as { amount: number }).amount += 1)],
    ['the objects', (receipt) => void receipt.objects++],
    ['the objects of a range', (receipt) => void range(receipt).objects++],
    ['the first time of a range', (receipt) => void (range(receipt).firstCreatedTime = FROM - 1)],
    ['what is outside', (receipt) => void range(receipt).outside++],
    [
      'the last time of a file',
      (receipt) =>
        void ((range(receipt).files[0] as never as { lastCreatedTime: number }).lastCreatedTime +=
          1),
    ],
    ['a range less', (receipt) => void receipt.ranges.pop()],
    [
      'a longer span',
      ({ spans }) => void ((spans[0] as { to: string }).to = '2026-02-28T00:00:00Z'),
    ],
    ['no span', ({ spans }) => void spans.pop()],
    ['complete', (receipt) => void (receipt.complete = false)],
    [
      'a range that is missing',
      (receipt) =>
        void receipt.missing.push({
          name: 'x',
          type: 'ORDERS',
          startTime: 0,
          endTime: 1,
          reason: 'why',
        }),
    ],
  ];
  test.each(edits)('finds an edited receipt: %s', async (_name, edit) => {
    await using scene = await pulled();
    const at = join(scene.out, 'receipt.json');
    const receipt = JSON.parse(await readFile(at, 'utf8')) as Receipt;
    edit(receipt);
    await writeFile(at, JSON.stringify(receipt));
    expect((await verify(scene.out)).complete).toBe(false);
  });

  test.each([
    ['/etc/passwd'],
    ['../other/receipt.json'],
    ['orders/../../x'],
    ['orders\\..\\x'],
    ['orders/a\0b'],
  ])('follows no path out of the directory: %j', async (path) => {
    await using scene = await pulled();
    const at = join(scene.out, 'receipt.json');
    const receipt = JSON.parse(await readFile(at, 'utf8')) as Receipt;
    (range(receipt).files[0] as { path: string }).path = path;
    await writeFile(at, JSON.stringify(receipt));
    const { complete, faults } = await verify(scene.out);
    expect(complete).toBe(false);
    expect(faults[0]).toMatchObject({ path, message: 'is no path inside the directory' });
  });

  test.each([
    '',
    '{',
    '[]',
    'null',
    '{"receipt":1}',
    '{"receipt":1,"ranges":[],"tables":[]}',
    '{"receipt":2,"ranges":[],"tables":[]}',
  ])('a receipt that is none: %s', async (text) => {
    await using scene = await pulled();
    await writeFile(join(scene.out, 'receipt.json'), text);
    const error = await failureOf(verify(scene.out), 'DIRECTORY');
    expect(error.message).toMatch(/receipt/);
  });

  test('where nothing was pulled', async () => {
    await using scene = await Scene.begin();
    expect((await failureOf(verify(scene.out), 'DIRECTORY')).hint).toMatch(/pull/);
  });
});

describe('one at a time', () => {
  test('a second pull into the directory: LOCKED; afterwards it is free', async () => {
    await using scene = await Scene.begin({ faults: { slow: { on: 'file', latencyMs: 300 } } });
    const started = Promise.withResolvers<void>();
    const first = scene.pull({ onProgress: ({ event }) => event === 'range' && started.resolve() });
    await started.promise;
    const error = await failureOf(scene.pull(), 'LOCKED');
    expect(error.message).toContain(`process ${process.pid}`);
    await expectComplete(scene, first);
    await expectComplete(scene, scene.pull());
  });

  test.each(['jsonl', 'json'] as const)(
    'a signal ends it; the next one goes on; %s',
    async (format) => {
      await using scene = await Scene.begin({ ...LONG, orders: 240 });
      scene.far.set({ slow: { on: 'file', latencyMs: 20, bytesPerSecond: 200_000 } });
      const stop = new AbortController();
      const pulling = scene.pull({
        ...LONG,
        format,
        signal: stop.signal,
        onProgress: (event) =>
          event.event === 'range' &&
          event.range.files >= 3 &&
          event.range.name.includes('02-06') &&
          stop.abort(),
      });
      expect((await failureOf(pulling, 'INTERRUPTED')).message).toBe('interrupted');
      // Whatever has a name that somebody would read is whole.
      const expected =
        format === 'json'
          ? servedOf(scene.far, ['ORDERS'], LONG_FROM, LONG_TO, 10)
          : linesOf(scene.far, ['ORDERS'], LONG_FROM, LONG_TO);
      for (const [path, sum] of Object.entries(await contents(scene.out)))
        if (!path.endsWith('.part')) expect([path, expected[path]]).toEqual([path, sum]);
      const names = await readdir(scene.out);
      expect(names.toSorted()).toEqual(['.tillroll', 'orders', 'receipt.json']);
      const receipt = JSON.parse(
        await readFile(join(scene.out, 'receipt.json'), 'utf8'),
      ) as Receipt;
      expect(receipt.complete).toBe(false);

      // Nothing runs on in the background.
      const asked = scene.far.requests.length;
      await new Promise((resolve) => setTimeout(resolve, 400));
      expect(scene.far.requests).toHaveLength(asked);

      await expectComplete(scene, scene.pull(LONG), expected);
      const whole = scene.far.requests.filter(
        ({ kind, outcome }) => kind === 'file' && outcome === 'sent',
      );
      // At most those that were under way came to their end unseen.
      expect(whole.length - new Set(whole.map(({ path }) => path)).size).toBeLessThanOrEqual(4);
    },
  );

  test('a caller that has seen enough orders waits for nothing more', async () => {
    await using scene = await Scene.begin({ orders: 100 });
    scene.far.set({ slow: { on: 'file', position: 1, latencyMs: 5000 } });
    const began = Date.now();
    const ids: string[] = [];
    for await (const { id } of scene.client({ retry: RETRY }).orders({ from: FROM, to: LONG_TO })) {
      ids.push(id);
      if (ids.length === 5) break;
    }
    expect(ids).toEqual(scene.far.objects('ORDERS').slice(0, 5).map(idOf));
    expect(Date.now() - began).toBeLessThan(3000);
  });
});
