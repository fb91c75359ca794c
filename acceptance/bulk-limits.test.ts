import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { line, main, nobody, choosePeriod, target } from './api.ts';
import { counts, expectCounts, expectNothingStored, MiB, stored, three } from './bulk-load.ts';
import { dropAfter, exact } from './exact-requests.ts';
import { expectError, expectJsonObject } from './error-shapes.ts';

const START = choosePeriod(2015);

let spans = 0;

/** The start of a minute that no other test uses. */
const minute = (): number => START + 60_000 * spans++;

describe('at most 8 MiB a line', () => {
  /** A line of exactly so many bytes, without its newline. */
  function makeLine(start: number, bytes: number): string {
    const bare = line(start, { note: '' });
    return line(start, { note: 'x'.repeat(bytes - bare.length) });
  }

  test.for([
    ['5 MB', 5_000_000],
    ['8 MiB exactly', 8 * MiB],
  ] as const)('a line of %s passes and comes back byte for byte', async ([, bytes]) => {
    const start = minute();
    const lines = [line(start), makeLine(start + 1, bytes), line(start + 2)];
    expect(lines[1]).toHaveLength(bytes);
    expect(await main.load('ORDERS', lines)).toEqual(counts({ received: 3, inserted: 3 }));
    const back = await stored(start);
    expect(back.map((text) => text.length)).toEqual(lines.map((text) => text.length));
    expect(back.every((text, i) => text === lines[i])).toBe(true);
  });

  test.for([
    ['8 MiB and one byte', 8 * MiB + 1],
    ['9 MB', 9_000_000],
    ['40 MB', 40_000_000],
  ] as const)('a line of %s is 413 and nothing of the request is stored', async ([, bytes]) => {
    const start = minute();
    const good = three(start);
    expectError(await main.bulk('ORDERS', [...good, makeLine(start, bytes), ''].join('\n')), 413);
    await expectNothingStored(start, good);
  });

  test('after a 413 the connection is closed or good for the next request', async () => {
    const start = minute();
    const long = makeLine(start, 9_000_000);
    for (let i = 0; i < 4; i++) {
      expectError(await main.bulk('ORDERS', long), 413);
      expect((await exact(target.url, main.path, { headers: main.auth })).status).toBe(200);
      const small = await main.bulk('ORDERS', line(start, { note: i }));
      expectCounts(small, counts({ received: 1, inserted: 1 }));
    }
  });

  test('a body of many MB in many lines is not a long line', async () => {
    const start = minute();
    const lines = Array.from({ length: 20_000 }, (_, i) =>
      line(start + i, { note: 'y'.repeat(1000) }),
    );
    expect(await main.load('ORDERS', lines)).toEqual(
      counts({ received: 20_000, inserted: 20_000 }),
    );
    expect(await main.load('ORDERS', lines)).toEqual(
      counts({ received: 20_000, unchanged: 20_000 }),
    );
  });
});

describe('gzip that is not what it says', () => {
  const gzip = { 'content-encoding': 'gzip' };

  test('gzip that ends early is 400, and nothing is stored', async () => {
    const start = minute();
    const good = Array.from({ length: 500 }, (_, i) => line(start + i));
    const packed = gzipSync(`${good.join('\n')}\n`);
    for (const length of [
      packed.length - 1,
      packed.length - 8,
      packed.length - 9,
      packed.length >> 1,
      12,
      3,
    ]) {
      expectError(await main.bulk('ORDERS', packed.subarray(0, length), gzip), 400);
    }
    await expectNothingStored(start, good);
  });

  test('what is not gzip, or is damaged, is 400, and nothing is stored', async () => {
    const start = minute();
    const good = Array.from({ length: 500 }, (_, i) => line(start + i));
    const packed = gzipSync(`${good.join('\n')}\n`);
    const wrongSum = Buffer.from(packed);
    wrongSum[wrongSum.length - 6] = (wrongSum[wrongSum.length - 6] ?? 0) ^ 0xff;
    for (const body of [Buffer.from(good.join('\n')), wrongSum]) {
      expectError(await main.bulk('ORDERS', body, gzip), 400);
    }
    await expectNothingStored(start, good);
  });

  test('a line that inflates a thousandfold, past 8 MiB, is 413, and nothing is stored', async () => {
    const start = minute();
    const good = three(start);
    const body = gzipSync(
      Buffer.concat([
        Buffer.from(`${good.join('\n')}\n{"x":"`),
        Buffer.alloc(256 * MiB, 'a'),
        Buffer.from('"}\n'),
      ]),
    );
    expect(body.length).toBeLessThan(MiB);
    expectError(await main.bulk('ORDERS', body, gzip), 413);
    await expectNothingStored(start, good);
  });

  test('an unknown Content-Encoding is refused, not stored', async () => {
    const start = minute();
    const good = three(start);
    const answer = await main.bulk('ORDERS', good.join('\n'), { 'content-encoding': 'br' });
    expect(answer.status).toBeOneOf([400, 415]);
    expectJsonObject(answer);
    await expectNothingStored(start, good);
  });
});

describe('a connection that drops half-way stores nothing, and the service stays healthy', () => {
  const head = (rest: string): Buffer =>
    Buffer.from(
      `POST ${main.bulkPath('ORDERS')} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${target.token}\r\n` +
        `Content-Type: application/x-ndjson\r\n${rest}\r\n\r\n`,
    );
  const chunk = (bytes: Uint8Array): Buffer =>
    Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]);

  const ways: [string, (body: Buffer) => Buffer][] = [
    ['with a length', (body) => Buffer.concat([head(`Content-Length: ${body.length * 2}`), body])],
    [
      'one byte before the length',
      (body) => Buffer.concat([head(`Content-Length: ${body.length + 1}`), body]),
    ],
    [
      'in chunks, without the last one',
      (body) => Buffer.concat([head('Transfer-Encoding: chunked'), chunk(body)]),
    ],
    [
      'in chunks of whole gzip, without the last one',
      (body) =>
        Buffer.concat([
          head('Transfer-Encoding: chunked\r\nContent-Encoding: gzip'),
          chunk(gzipSync(body)),
        ]),
    ],
  ];

  test.for(ways)('%s', async ([, request]) => {
    for (const how of ['FIN', 'RST'] as const) {
      const start = minute();
      const good = Array.from({ length: 300 }, (_, i) => line(start + i));
      // Every line is whole: only the end of the body is missing.
      await dropAfter(target.url, request(Buffer.from(`${good.join('\n')}\n`)), how);
      await sleep(200);
      expect((await nobody.ask('/health')).status).toBe(200);
      expect((await nobody.ask('/ready')).status).toBe(200);
      await expectNothingStored(start, good);
    }
  });
});
