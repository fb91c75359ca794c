import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { freshId, line, main, nobody, choosePeriod, target } from './api.ts';
import { counts, expectCounts, stored, three, zero } from './bulk-load.ts';
import { expectError } from './error-shapes.ts';

const START = choosePeriod(2008);

let spans = 0;

/** The start of a minute that no other test uses. */
const minute = (): number => START + 60_000 * spans++;

describe('POST /v3/merchants/{mId}/orders/bulk and .../payments/bulk take NDJSON', () => {
  test.for(['ORDERS', 'PAYMENTS'] as const)(
    '%s: the objects come back, and the answer counts them',
    async (type) => {
      const start = minute();
      const lines = three(start);
      const answer = await main.bulk(type, `${lines.join('\n')}\n`);
      expect(answer.headers.get('content-type')).toMatch(/^application\/json\b/);
      expectCounts(answer, counts({ received: 3, inserted: 3 }));
      expect(await stored(start, type)).toEqual(lines);
    },
  );

  test.for([
    ['without a trailing newline', (lines: string[]) => lines.join('\n')],
    ['with CRLF', (lines: string[]) => lines.map((one) => `${one}\r\n`).join('')],
    ['with CRLF and no newline at the end', (lines: string[]) => lines.join('\r\n')],
    ['with a BOM', (lines: string[]) => `\ufeff${lines.join('\n')}\n`],
    ['with a BOM and CRLF', (lines: string[]) => `\ufeff${lines.join('\r\n')}\r\n`],
    [
      'with empty lines at the start, inside and at the end',
      (lines: string[]) => `\n\n${lines.join('\n\n\n')}\n\n`,
    ],
    ['with empty CRLF lines', (lines: string[]) => `\r\n${lines.join('\r\n\r\n')}\r\n\r\n`],
  ] as const)('%s: the same objects, byte for byte', async ([, body]) => {
    const start = minute();
    const lines = three(start);
    expectCounts(await main.bulk('ORDERS', body([...lines])), counts({ received: 3, inserted: 3 }));
    expect(await stored(start)).toEqual(lines);
  });

  test('Content-Encoding: gzip', async () => {
    const start = minute();
    const lines = three(start);
    const answer = await main.bulk('ORDERS', gzipSync(lines.join('\n')), {
      'content-encoding': 'gzip',
    });
    expectCounts(answer, counts({ received: 3, inserted: 3 }));
    expect(await stored(start)).toEqual(lines);
  });

  test('gzip of several members, one after another, is one body', async () => {
    const start = minute();
    const lines = three(start);
    const body = Buffer.concat(lines.map((one) => gzipSync(`${one}\n`)));
    expectCounts(
      await main.bulk('ORDERS', body, { 'content-encoding': 'gzip' }),
      counts({ received: 3, inserted: 3 }),
    );
    expect(await stored(start)).toEqual(lines);
  });

  test('a body cut anywhere, even inside a character: chunks of one byte', async () => {
    const start = minute();
    const lines = three(start);
    const chunks = [...Buffer.from(lines.join('\r\n'))].map((byte) => Uint8Array.of(byte));
    expectCounts(await main.bulk('ORDERS', chunks), counts({ received: 3, inserted: 3 }));
    expect(await stored(start)).toEqual(lines);
  });

  test('chunked gzip in chunks of one byte', async () => {
    const start = minute();
    const lines = three(start);
    const chunks = [...gzipSync(lines.join('\n'))].map((byte) => Uint8Array.of(byte));
    expectCounts(
      await main.bulk('ORDERS', chunks, { 'content-encoding': 'gzip' }),
      counts({ received: 3, inserted: 3 }),
    );
    expect(await stored(start)).toEqual(lines);
  });

  test('the token may come as access_token', async () => {
    const start = minute();
    const answer = await nobody.ask(`${main.bulkPath('ORDERS')}?access_token=${target.token}`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body: line(start),
    });
    expectCounts(answer, counts({ received: 1, inserted: 1 }));
  });

  test('a body without a line stores nothing, or is 400', async () => {
    for (const body of ['', '\n', '\ufeff']) {
      const answer = await main.bulk('ORDERS', body);
      if (answer.status === 400) expectError(answer, 400);
      else expectCounts(answer, zero);
    }
  });
});

describe('merging by (merchant, id)', () => {
  test('loading the same again changes nothing', async () => {
    const start = minute();
    const lines = three(start);
    await main.load('ORDERS', lines);
    expect(await main.load('ORDERS', lines)).toEqual(counts({ received: 3, unchanged: 3 }));
    expect(await stored(start)).toEqual(lines);
  });

  test('a higher modifiedTime replaces, a lower one is stale and changes nothing', async () => {
    const start = minute();
    const id = freshId();
    const version = (modifiedTime: number) =>
      line(start, { id, modifiedTime, v: modifiedTime - start });
    await main.load('ORDERS', [version(start + 10)]);
    expect(await main.load('ORDERS', [version(start + 9)])).toEqual(
      counts({ received: 1, stale: 1 }),
    );
    expect(await stored(start)).toEqual([version(start + 10)]);
    expect(await main.load('ORDERS', [version(start + 11)])).toEqual(
      counts({ received: 1, updated: 1 }),
    );
    expect(await stored(start)).toEqual([version(start + 11)]);
    expect(await main.load('ORDERS', [version(start + 10)])).toEqual(
      counts({ received: 1, stale: 1 }),
    );
    expect(await stored(start)).toEqual([version(start + 11)]);
  });

  test('the same modifiedTime replaces when the content differs, and only then', async () => {
    const start = minute();
    const id = freshId();
    const [a, b] = [line(start, { id, v: 1 }), line(start, { id, v: 2 })];
    await main.load('ORDERS', [a]);
    expect(await main.load('ORDERS', [b])).toEqual(counts({ received: 1, updated: 1 }));
    expect(await main.load('ORDERS', [b])).toEqual(counts({ received: 1, unchanged: 1 }));
    expect(await stored(start)).toEqual([b]);
  });

  test('a replacement with another createdTime moves the object to the other range', async () => {
    const [from, to] = [minute(), minute()];
    const id = freshId();
    await main.load('ORDERS', [line(from, { id })]);
    const moved = line(to, { id, modifiedTime: to + 1 });
    expect(await main.load('ORDERS', [moved])).toEqual(counts({ received: 1, updated: 1 }));
    expect(await stored(from)).toEqual([]);
    expect(await stored(to)).toEqual([moved]);
  });

  test('inside one request the highest modifiedTime wins', async () => {
    const start = minute();
    const id = freshId();
    const version = (v: number) => line(start, { id, modifiedTime: start + v, v });
    const got = await main.load('ORDERS', [version(2), version(5), version(3)]);
    expect(got).toMatchObject({ received: 3, inserted: 1, updated: 0 });
    expect(got.inserted + got.updated + got.unchanged + got.stale).toBe(3);
    expect(await stored(start)).toEqual([version(5)]);
  });

  test('inside one request, on a tie of modifiedTime the later line wins', async () => {
    const start = minute();
    const id = freshId();
    const version = (v: number) => line(start, { id, v });
    const got = await main.load('ORDERS', [version(1), version(3), version(2)]);
    expect(got).toMatchObject({ received: 3, inserted: 1, updated: 0 });
    expect(got.inserted + got.updated + got.unchanged + got.stale).toBe(3);
    expect(await stored(start)).toEqual([version(2)]);
  });

  test('an id is its value, not how it is written', async () => {
    const start = minute();
    const id = freshId('A');
    const plain = `{"id":"${id}","createdTime":${start},"modifiedTime":${start},"v":1}`;
    const escaped = `{"\\u0069d":"\\u0041${id.slice(1)}","createdTime":${start},"modifiedTime":${start + 1},"v":2}`;
    await main.load('ORDERS', [plain]);
    expect(await main.load('ORDERS', [escaped])).toEqual(counts({ received: 1, updated: 1 }));
    expect(await stored(start)).toEqual([escaped]);
  });

  test('ids that differ in case are different objects', async () => {
    const start = minute();
    const id = freshId('A');
    const [upper, lower] = [line(start, { id }), line(start, { id: id.toLowerCase() })];
    expect(await main.load('ORDERS', [upper, lower])).toEqual(counts({ received: 2, inserted: 2 }));
    expect(await stored(start)).toEqual([upper, lower]);
  });

  test('a missing modifiedTime counts as createdTime', async () => {
    const start = minute();
    const id = freshId();
    const bare = JSON.stringify({ id, createdTime: start, v: 1 });
    expect(await main.load('ORDERS', [bare])).toEqual(counts({ received: 1, inserted: 1 }));
    expect(await main.load('ORDERS', [bare])).toEqual(counts({ received: 1, unchanged: 1 }));
    const older = line(start, { id, modifiedTime: start - 1, v: 2 });
    expect(await main.load('ORDERS', [older])).toEqual(counts({ received: 1, stale: 1 }));
    expect(await stored(start)).toEqual([bare]);
    const same = line(start, { id, modifiedTime: start, v: 3 });
    expect(await main.load('ORDERS', [same])).toEqual(counts({ received: 1, updated: 1 }));
    expect(await stored(start)).toEqual([same]);
  });

  test('received = inserted + updated + unchanged + stale', async () => {
    const start = minute();
    const ids = Array.from({ length: 400 }, () => freshId());
    const at = (i: number, v: number) =>
      line(start + i, { id: ids[i], modifiedTime: start + 1000 + v, v });
    const from = (a: number, b: number, v: number) => ids.slice(a, b).map((_, i) => at(a + i, v));
    expect(await main.load('ORDERS', from(0, 300, 0))).toEqual(
      counts({ received: 300, inserted: 300 }),
    );
    const mixed = [
      ...from(0, 100, -1),
      ...from(100, 200, 0),
      ...from(200, 300, 1),
      ...from(300, 400, 0),
    ];
    expect(await main.load('ORDERS', mixed)).toEqual({
      received: 400,
      inserted: 100,
      updated: 100,
      unchanged: 100,
      stale: 100,
    });
    expect(await stored(start)).toEqual([
      ...from(0, 200, 0),
      ...from(200, 300, 1),
      ...from(300, 400, 0),
    ]);
  });

  test('overlapping loads at once, in opposite order, all come through', async () => {
    const start = minute();
    const ids = Array.from({ length: 500 }, () => freshId());
    const load = (v: number) => {
      const lines = ids.map((id, i) => line(start + i, { id, modifiedTime: start + v, v }));
      return main.load('ORDERS', v % 2 === 0 ? lines : lines.reverse());
    };
    const answers = await Promise.all(Array.from({ length: 8 }, (_, v) => load(v)));
    for (const got of answers)
      expect(got.inserted + got.updated + got.unchanged + got.stale).toBe(500);
    expect(answers.reduce((sum, got) => sum + got.inserted, 0)).toBe(500);
    expect((await stored(start)).map((text) => (JSON.parse(text) as { v: number }).v)).toEqual(
      ids.map(() => 7),
    );
  });
});
