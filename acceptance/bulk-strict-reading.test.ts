import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { type ExportType, line, main, choosePeriod } from './api.ts';
import { counts, expectCounts, expectNothingStored, MiB, stored, three } from './bulk-load.ts';
import { expectError } from './error-shapes.ts';

const START = choosePeriod(2016);

let spans = 0;

/** The start of a minute that no other test uses. */
const minute = (): number => START + 60_000 * spans++;

describe('what one reader could not read, or would read otherwise, is 400 with line, member and reason', () => {
  const refused: [string, (start: number) => string, RegExp][] = [
    ['total twice', (start) => line(start, { total: 100 }).replace('}', ',"total":200}'), /total/],
    [
      'total twice, once in escapes',
      (start) => line(start, { total: 100 }).replace('}', ',"tot\\u0061l":100}'),
      /total/,
    ],
    ['id twice', (start) => line(start).replace('}', ',"id":"B"}'), /\bid\b/],
    [
      'a price twice in a line item',
      (start) =>
        line(start, { lineItems: { elements: [{ id: 'L' }] } }).replace(
          '"id":"L"',
          '"id":"L","price":1,"price":2',
        ),
      /price/,
    ],
    [
      'createdTime with a fraction of zero',
      (start) => line(start).replace(`"createdTime":${start}`, `"createdTime":${start}.0`),
      /createdTime/,
    ],
    [
      'createdTime with an exponent',
      (start) => line(start).replace(`"createdTime":${start}`, `"createdTime":${start}e0`),
      /createdTime/,
    ],
    ['createdTime in seconds', (start) => line(Math.floor(start / 1000)), /seconds/],
    ['createdTime in microseconds', (start) => line(start * 1000), /microseconds/],
    ['total with an exponent', (start) => line(start).replace('}', ',"total":1.25e3}'), /total/],
    ['total -0', (start) => line(start).replace('}', ',"total":-0}'), /total/],
    [
      'an amount of a refund with a fraction',
      (start) => line(start).replace('}', ',"refunds":{"elements":[{"id":"R","amount":100.0}]}}'),
      /refunds.*amount/,
    ],
    [
      'nested 600 deep',
      (start) => line(start).replace('}', `,"x":${'['.repeat(600)}${']'.repeat(600)}}`),
      /deep/,
    ],
  ];

  test.for(refused)('%s', async ([, make, reason]) => {
    for (const type of ['ORDERS', 'PAYMENTS'] as const) {
      const start = minute();
      const good = three(start);
      // Members that only an order has.
      if (type === 'PAYMENTS' && /lineItems|tot\\u0061l/.test(make(start))) continue;
      const body = [good[0], make(start), good[1]]
        .join('\n')
        .replaceAll('"total"', findMember(type));
      const details = expectError(await main.bulk(type, body), 400);
      expect(details).toMatch(/\bline\W*2\b/i);
      if (type === 'ORDERS') expect(details).toMatch(reason);
      await expectNothingStored(start, good, type);
    }
  });

  const findMember = (type: ExportType): string => (type === 'ORDERS' ? '"total"' : '"amount"');

  const found: [string, (lines: string[]) => string | Uint8Array, RegExp][] = [
    ['an array', (lines) => `[${lines.join(',')}]`, /array/],
    ['an array over several lines', (lines) => `[\n${lines.join(',\n')}\n]`, /array/],
    ['an envelope', (lines) => `{"elements":[${lines.join(',')}]}`, /elements/],
    ['CR alone', (lines) => lines.join('\r'), /carriage return/],
    ['record separators', (lines) => lines.map((one) => `\u001e${one}\n`).join(''), /separator/],
    ['UTF-16', (lines) => Buffer.from(`\ufeff${lines.join('\n')}`, 'utf16le'), /UTF-16/],
    [
      'UTF-16 without a mark',
      (lines) => Buffer.from(lines.join('\n'), 'utf16le').swap16(),
      /UTF-16/,
    ],
    ['a byte order mark in the middle', (lines) => lines.join('\n\ufeff'), /byte order mark/],
    [
      'objects over several lines',
      (lines) => lines.map((one) => JSON.stringify(JSON.parse(one), null, 2)).join('\n'),
      /line/,
    ],
    ['objects in quotes', (lines) => lines.map((one) => JSON.stringify(one)).join('\n'), /quotes/],
    ['gzip that is not announced', (lines) => gzipSync(lines.join('\n')), /Content-Encoding/],
    ['CSV', () => 'id,createdTime,total\nA,1767225601000,1\n', /CSV/],
    ['HTML', () => '<html><body>Bad Gateway</body></html>', /HTML/],
  ];
  test.for(found)('%s is refused with a sentence that says so', async ([, make, reason]) => {
    const start = minute();
    const good = three(start);
    expect(expectError(await main.bulk('ORDERS', make([...good])), 400)).toMatch(reason);
    await expectNothingStored(start, good);
  });

  test('gzip members with zero bytes between and behind them are all read', async () => {
    const start = minute();
    const lines = three(start);
    const body = Buffer.concat(lines.flatMap((one) => [gzipSync(`${one}\n`), Buffer.alloc(512)]));
    expectCounts(
      await main.bulk('ORDERS', body, { 'content-encoding': 'gzip' }),
      counts({ received: 3, inserted: 3 }),
    );
    expect(await stored(start)).toEqual(lines);
  });

  test('other bytes behind gzip, or behind its zero bytes, are 400', async () => {
    const start = minute();
    const good = three(start);
    const packed = gzipSync(good.join('\n'));
    for (const tail of ['xyz', '\0\0xyz', `\0${line(start)}`, '\x1f', '\0\x1f\x8b\x08']) {
      const body = Buffer.concat([packed, Buffer.from(tail, 'latin1')]);
      expectError(await main.bulk('ORDERS', body, { 'content-encoding': 'gzip' }), 400);
    }
    const twice = gzipSync(packed);
    expectError(await main.bulk('ORDERS', twice, { 'content-encoding': 'gzip' }), 400);
    await expectNothingStored(start, good);
  });

  test('nested 400 deep is stored, and comes back', async () => {
    const start = minute();
    const deep = line(start).replace('}', `,"x":${'[{"a":'.repeat(200)}1${'}]'.repeat(200)}}`);
    await main.load('ORDERS', [deep]);
    expect(await stored(start)).toEqual([deep]);
  });

  test('a body that inflates beyond what objects do is 413', async () => {
    const bomb = gzipSync(Buffer.alloc(128 * MiB, '\n'));
    expectError(await main.bulk('ORDERS', bomb, { 'content-encoding': 'gzip' }), 413);
  });
});
