import { describe, expect, test } from 'vitest';
import {
  downloadAll,
  parseElements,
  type ExportType,
  freshId,
  HOUR,
  line,
  main,
  choosePeriod,
} from './api.ts';

const START = choosePeriod(2005);

const span = (n: number): number => START + n * HOUR;

/** By createdTime, then by id as bytes: the order of the contract, computed apart from it. */
function inOrder(lines: readonly string[]): string[] {
  const key = (text: string) => JSON.parse(text) as { createdTime: number; id: string };
  return [...lines].sort((a, b) => {
    const [x, y] = [key(a), key(b)];
    return x.createdTime - y.createdTime || Buffer.compare(Buffer.from(x.id), Buffer.from(y.id));
  });
}

function shuffled<T>(values: readonly T[]): T[] {
  return values
    .map((value) => [Math.random(), value] as const)
    .sort((a, b) => a[0] - b[0])
    .map(([, value]) => value);
}

describe('1000 objects a file, the last one may hold fewer', () => {
  test.for([
    [0, []],
    [1, [1]],
    [999, [999]],
    [1000, [1000]],
    [1001, [1000, 1]],
    [2000, [1000, 1000]],
  ] as const)('%i objects', async ([count, expected]) => {
    const start = span(count);
    const lines = Array.from({ length: count }, (_, i) => line(start + i, { total: i }));
    if (count > 0) expect((await main.load('ORDERS', shuffled(lines))).inserted).toBe(count);
    const done = await main.export('ORDERS', start, start + 2000);
    const files = await downloadAll(done);
    expect(files.map((file) => parseElements(file).length)).toEqual(expected);
    expect(done.export.files?.elements.map((file) => file.objects)).toEqual(expected);
    expect(files.flatMap(parseElements)).toEqual(lines);
  });
});

describe('ordered by createdTime, then by id as bytes, through all files', () => {
  test('ties of createdTime over several files, ids of upper and lower case, digits and signs', async () => {
    const start = span(3000);
    const alphabet = '09AZaz-_';
    const lines = shuffled(
      Array.from({ length: 2500 }, (_, i) => {
        const tail = Array.from(i.toString(8), (digit) => alphabet[Number(digit)]).join('');
        return line(start + (i % 3), { id: `${tail}${freshId('')}` });
      }),
    );
    await main.load('PAYMENTS', lines);
    const objects = await main.objects('PAYMENTS', start, start + 3);
    expect(objects).toEqual(inOrder(lines));
    expect(new Set(objects).size).toBe(2500);
  });

  test('one id is the beginning of another', async () => {
    const start = span(3001);
    const id = freshId();
    const ids = [id, `${id}-`, `${id}0`, `${id}A`, `${id}_`, `${id}a`, `${id}aa`, `${id}b`];
    const lines = ids.map((one) => line(start, { id: one }));
    await main.load('ORDERS', [...lines].reverse());
    expect(await main.objects('ORDERS', start, start + 1)).toEqual(lines);
  });

  test('ids beyond ASCII are ordered by their UTF-8 bytes, not by UTF-16 units nor by a language', async () => {
    const start = span(3002);
    const id = freshId();
    const ids = [`${id}z`, `${id}\u00e4`, `${id}\uff5e`, `${id}\u{1f600}`];
    const lines = ids.map((one) => line(start, { id: one }));
    await main.load('ORDERS', shuffled(lines));
    expect(await main.objects('ORDERS', start, start + 1)).toEqual(lines);
  });
});

describe('startTime <= createdTime < endTime', () => {
  test('the start is inside, the end is outside, and neighbours never overlap', async () => {
    const [a, b, c] = [span(3010), span(3010) + 1000, span(3010) + 2000];
    const at = (time: number): string => line(time);
    const lines = [a - 1, a, b - 1, b, c - 1, c].map(at);
    await main.load('ORDERS', lines);
    expect(await main.objects('ORDERS', a, b)).toEqual(lines.slice(1, 3));
    expect(await main.objects('ORDERS', b, c)).toEqual(lines.slice(3, 5));
    expect(await main.objects('ORDERS', a, a + 1)).toEqual([lines[1]]);
    expect(await main.objects('ORDERS', a + 1, b - 1)).toEqual([]);
  });

  test('createdTime rules, not modifiedTime', async () => {
    const start = span(3011);
    const inside = line(start, { modifiedTime: start + 10 * HOUR });
    const outside = line(start - 1, { modifiedTime: start });
    await main.load('ORDERS', [inside, outside]);
    expect(await main.objects('ORDERS', start, start + 1)).toEqual([inside]);
  });

  test('orders and payments are apart, even with the same id and time', async () => {
    const start = span(3012);
    const id = freshId();
    const order = line(start, { id, total: 1 });
    const payment = line(start, { id, amount: 2 });
    await main.load('ORDERS', [order]);
    await main.load('PAYMENTS', [payment]);
    expect(await main.objects('ORDERS', start, start + 1)).toEqual([order]);
    expect(await main.objects('PAYMENTS', start, start + 1)).toEqual([payment]);
  });
});

describe('each object exactly the bytes that were ingested', () => {
  const tricky = (id: string, time: number): [string, string][] => {
    const head = `"id":"${id}","createdTime":${time},"modifiedTime":${time}`;
    return [
      [
        'odd spacing',
        `{  "id" :\t"${id}" ,"createdTime":${time}  , "modifiedTime"  :${time},"x":[ 1 ,2,{ } ,[ ] ]\t}`,
      ],
      [
        'the members in another order',
        `{"z":1,"modifiedTime":${time},"a":2,"createdTime":${time},"id":"${id}"}`,
      ],
      [
        'every escape',
        String.raw`{${head},"x":"\"\\\/\b\f\n\r\t\u0000\u001f\u00e9\u2028\uD83D\uDE00"}`,
      ],
      ['escapes where none are needed', String.raw`{${head},"\u0041":"\u0041\/\u007e"}`],
      ['a lone surrogate as an escape', String.raw`{${head},"x":"\ud800 \udc00"}`],
      ['tabs and backslashes as COPY writes them', String.raw`{${head},"x":"\\t\\n\\\\.\\N\\."}`],
      [
        '2-, 3- and 4-byte UTF-8',
        `{${head},"x":"é ß € \u2028 中 \u{1f600} \u{1f468}\u200d\u{1f469}\u200d\u{1f467} \u{10ffff}"}`,
      ],
      ['U+FEFF and U+FFFD inside', `{${head},"x":"\ufeff \ufffd"}`],
      [
        'numbers as they were written',
        `{${head},"x":[1.0,1e3,1E+3,-0,0.10,1e400,123456789012345678901234567890,0.1234567890123456789012345]}`,
      ],
      [
        'a big number in a known place',
        `{${head},"taxRates":{"elements":[{"rate":10000000.000}]}}`,
      ],
      ['duplicate unknown members', `{${head},"x":1,"x":2,"x":{"y":1,"y":2}}`],
      [
        '__proto__ and constructor',
        `{${head},"__proto__":{"x":1},"constructor":{"prototype":null}}`,
      ],
      ['quotes and SQL', `{${head},"x":"'; DROP TABLE orders; -- $$ $1 %s \\\\x00"}`],
      ['brackets in strings', `{${head},"x":"]}{[,\\"]}","elements":[{"elements":[]}]}`],
      ['empty names and values', `{${head},"":"","a":{},"b":[],"c":null,"d":false}`],
      ['HTML', `{${head},"x":"<script>&amp;</script>"}`],
      ['a long text', `{${head},"x":"${'long \u{1f35e} '.repeat(20_000)}"}`],
    ];
  };
  const names = tricky('', 0).map(([name]) => name);

  test.for(names.map((name, i) => [name, i] as const))('%s', async ([, i]) => {
    for (const [k, type] of (['ORDERS', 'PAYMENTS'] as ExportType[]).entries()) {
      const start = span(3100 + 2 * i + k);
      const text = tricky(freshId(), start)[i]?.[1] ?? '';
      expect(await main.load(type, [text])).toMatchObject({ received: 1, inserted: 1 });
      expect(await main.objects(type, start, start + 1)).toEqual([text]);
    }
  });

  test('all of them at once, by both ways of encoding', async () => {
    const start = span(3200);
    const lines = names.map((_, i) => tricky(freshId(), start + i)[i]?.[1] ?? '');
    await main.load('ORDERS', lines);
    expect(await main.objects('ORDERS', start, start + names.length)).toEqual(lines);
  });
});

describe('all files of an export show one moment of the database', () => {
  test('objects that change and appear while it runs: all old or all new', async () => {
    const start = span(3300);
    const ids = Array.from({ length: 4000 }, () => freshId());
    const version = (v: number, more: string[] = []): string[] =>
      [...ids, ...more].map((id, i) => line(start + i, { id, modifiedTime: start + v, v }));
    await main.load('ORDERS', version(0));
    for (let v = 1; v <= 3; v++) {
      const created = await main.create('ORDERS', start, start + 6000);
      const [, done] = await Promise.all([
        main.load(
          'ORDERS',
          version(
            v,
            Array.from({ length: v * 500 }, () => freshId()),
          ),
        ),
        main.poll(created.id),
      ]);
      const objects = (await downloadAll(done)).flatMap(parseElements);
      const seen = objects.map((text) => JSON.parse(text) as { id: string; v: number });
      const mine = seen.filter((one) => ids.includes(one.id));
      expect(mine).toHaveLength(4000);
      const versions = new Set(mine.map((one) => one.v));
      expect([...versions], 'one version in all files').toHaveLength(1);
      expect([...versions][0]).toBeOneOf([v - 1, v]);
      expect(new Set(seen.map((one) => one.id)).size, 'no object twice').toBe(seen.length);
      expect((seen.length - 4000) % 500, 'a load is there as a whole or not at all').toBe(0);
    }
  });

  test('the files of a finished export do not change when the objects do', async () => {
    const start = span(3301);
    const id = freshId();
    const before = line(start, { id, v: 1 });
    await main.load('ORDERS', [before]);
    const done = await main.export('ORDERS', start, start + 1);
    await main.load('ORDERS', [line(start, { id, v: 2, modifiedTime: start + 1 })]);
    expect((await downloadAll(done)).flatMap(parseElements)).toEqual([before]);
  });
});
