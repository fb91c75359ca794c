import type { ExportType } from '@tillroll/contract';
import { describe, expect, test } from 'vitest';
import { type Broken, type Faults, type Layout, pretty } from './fake-server/index.ts';
import { iterateOrders, parseOrders, readLines } from './pulled-orders.ts';
import {
  contents,
  expectComplete,
  catchFailure,
  FROM,
  makeLines,
  LONG,
  LONG_FROM,
  LONG_TO,
  MONTH,
  MONTH_FILE,
  Scene,
  TO,
} from './scene.ts';

describe('order', () => {
  test.concurrent.each([false, true])('unsorted objects come out sorted; gzip %s', async (gzip) => {
    await using scene = await Scene.begin({ faults: { unsorted: {} } });
    const result = await scene.pull({ gzip });
    expect(result.complete).toBe(true);
    expect(result.receipt.files[0]?.objects).toBe(45);
    if (!gzip) expect(await contents(scene.out)).toEqual(makeLines(scene.fake));
  });
});

describe('odd and broken objects', () => {
  test.concurrent('a note of 5 MB', async () => {
    await using scene = await Scene.begin({ faults: { huge: { at: 17 } } });
    await scene.pull();
    const kept = parseOrders(await readLines(scene, MONTH));
    const note = 'né '.repeat(1_250_000);
    const expected = parseOrders(scene.fake.objects('ORDERS', FROM, TO)).map((order, i) =>
      i === 17 ? { ...order, note } : order,
    );
    expect(kept).toEqual(expected);
    expect(await iterateOrders(scene, { from: FROM, to: TO })).toEqual(expected);
  });

  test.concurrent.each(['no-modifiedTime', 'id-path', 'proto'] satisfies Broken[])(
    '%s is kept as it is',
    async (how) => {
      await using scene = await Scene.begin({ faults: { broken: { how, at: 3 } } });
      const result = await scene.pull();
      expect(result.complete).toBe(true);
      const expected = scene.fake.exports[0]?.files.flat().map(String);
      expect(await readLines(scene, MONTH)).toEqual(expected);
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
    ['unbalanced', /not JSON|ends too early/],
  ] satisfies [Broken, RegExp][])('%s is a damaged file', async (how, message) => {
    await using scene = await Scene.begin({ faults: { broken: { how, at: 3 } } });
    const result = await scene.pull();
    expect(result.failed).toMatchObject([{ code: 'BAD_FILE' }]);
    expect(result.failed[0]?.message).toMatch(message);
    expect(result.failed[0]?.message).toMatch(/^file 0 of export \w{13} is damaged/);
    expect(scene.fake.requests.filter(({ position }) => position === 0)).toHaveLength(3);
    expect(await contents(scene.out)).toEqual({});
    await catchFailure(iterateOrders(scene, { from: FROM, to: TO }), 'BAD_FILE');
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
    await expectComplete(scene, scene.pull(), makeLines(scene.fake, ['ORDERS'], FROM, TO, lineOf));
    expect(await iterateOrders(scene, { from: FROM, to: TO })).toEqual(
      parseOrders(scene.fake.objects('ORDERS', FROM, TO)),
    );
  });

  test.concurrent('pretty, unsorted and at an edge: merged without a loss', async () => {
    const faults: Faults = {
      layout: { how: 'pretty' },
      unsorted: {},
      bounds: { how: 'inclusive' },
    };
    await using scene = await Scene.begin({ ...LONG, orders: 120, faults });
    const expected = makeLines(scene.fake, ['ORDERS'], LONG_FROM, LONG_TO, spread);
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
    const expected = makeLines(scene.fake, types, LONG_FROM, LONG_TO);
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
