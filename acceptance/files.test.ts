import { createHash } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  type ExportType,
  type Finished,
  HOUR,
  download,
  downloadAll,
  elementsOf,
  freshId,
  line,
  main,
  periodOf,
} from './api.ts';
import { type Answer, exact } from './exact.ts';
import { expectError } from './shapes.ts';

const START = periodOf(2005);
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
    expect(files.map((file) => elementsOf(file).length)).toEqual(expected);
    expect(done.export.files?.elements.map((file) => file.objects)).toEqual(expected);
    expect(files.flatMap(elementsOf)).toEqual(lines);
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
      const objects = (await downloadAll(done)).flatMap(elementsOf);
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
    expect((await downloadAll(done)).flatMap(elementsOf)).toEqual([before]);
  });
});

describe('one file over HTTP', () => {
  let done: Finished;
  let url: string;
  let plain: Answer;
  let packed: Answer;
  beforeAll(async () => {
    const start = span(4000);
    const lines = Array.from({ length: 1001 }, (_, i) =>
      line(start + i, { note: `caf\u00e9 ${i} \u{1f950}`, total: i * 7 }),
    );
    await main.load('ORDERS', lines);
    done = await main.export('ORDERS', start, start + 2000);
    url = done.urls[0] ?? '';
    plain = await download(url);
    packed = await download(url, { 'accept-encoding': 'gzip' });
  });
  const etag = (answer: Answer): string => answer.headers.get('etag') ?? '';

  test('needs no header and no token, and ignores those that come along', async () => {
    expect(plain.status).toBe(200);
    const odd = await download(url, {
      authorization: 'Bearer nope',
      accept: 'text/html',
      cookie: 'a=b',
    });
    expect(odd.status).toBe(200);
    expect(odd.bytes.equals(plain.bytes)).toBe(true);
  });

  test('headers: type, no-store, Vary, nosniff, Content-Length', () => {
    for (const answer of [plain, packed]) {
      expect(answer.headers.get('content-type')).toBe('application/json');
      expect(answer.headers.get('cache-control')).toBe('private, no-store');
      expect(answer.headers.get('vary')).toMatch(/\baccept-encoding\b/i);
      expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
      expect(answer.headers.get('content-length')).toBe(String(answer.bytes.length));
    }
  });

  test('identity unless Accept-Encoding allows gzip; sha256 and bytes in `files` are those of identity', () => {
    expect(plain.headers.get('content-encoding')).toBeNull();
    expect(packed.headers.get('content-encoding')).toBe('gzip');
    expect(packed.bytes.length).toBeLessThan(plain.bytes.length);
    expect(gunzipSync(packed.bytes).equals(plain.bytes)).toBe(true);
    expect(done.export.files?.elements[0]).toEqual({
      objects: 1000,
      bytes: plain.bytes.length,
      sha256: createHash('sha256').update(plain.bytes).digest('hex'),
    });
  });

  test.for([
    '',
    'identity',
    'br',
    'deflate',
    'gzip;q=0',
    'gzip; q=0.000',
    'gzip;q=0, *',
    'br, *;q=0',
    'notgzip',
    'gzip-x',
    'br;q=1, gzip;q=0',
  ])('Accept-Encoding "%s" does not allow gzip', async (accept) => {
    const answer = await download(url, { 'accept-encoding': accept });
    expect(answer.headers.get('content-encoding')).toBeNull();
    expect(answer.bytes.equals(plain.bytes)).toBe(true);
  });

  test.for([
    'gzip',
    'GZIP',
    'gzip, deflate, br',
    'deflate, gzip;q=0.1',
    'br;q=0.9,gzip;q=0.8',
    'gzip ; q=1.0',
    'identity;q=0, gzip',
  ])('Accept-Encoding "%s" allows gzip', async (accept) => {
    const answer = await download(url, { 'accept-encoding': accept });
    expect(answer.headers.get('content-encoding')).toBe('gzip');
    expect(answer.bytes.equals(packed.bytes)).toBe(true);
  });

  test('ETag is strong, the same at each read, and another for another encoding or file', async () => {
    for (const answer of [plain, packed]) expect(etag(answer)).toMatch(/^"[\x21\x23-\x7e]+"$/);
    expect(etag(plain)).not.toBe(etag(packed));
    const again = (await main.poll(done.export.id)).urls[0] ?? '';
    expect(etag(await download(again))).toBe(etag(plain));
    expect(etag(await download(again, { 'accept-encoding': 'gzip' }))).toBe(etag(packed));
    expect(etag(await download(done.urls[1] ?? ''))).not.toBe(etag(plain));
  });

  test('If-None-Match: 304 for the same, 200 for another', async () => {
    const match = (tag: string, more = {}) => download(url, { 'if-none-match': tag, ...more });
    const same = [etag(plain), `W/${etag(plain)}`, `"x", ${etag(plain)}, "y"`, '*'];
    for (const tag of same) {
      const answer = await match(tag);
      expect(answer.status, tag).toBe(304);
      expect(answer.bytes).toHaveLength(0);
      expect(etag(answer)).toBe(etag(plain));
      expect(answer.headers.get('cache-control')).toBe('private, no-store');
    }
    for (const tag of ['"x"', etag(packed)]) {
      const answer = await match(tag);
      expect(answer.status, tag).toBe(200);
      expect(answer.bytes.equals(plain.bytes)).toBe(true);
    }
    expect((await match(etag(packed), { 'accept-encoding': 'gzip' })).status).toBe(304);
    expect((await match(etag(plain), { 'accept-encoding': 'gzip' })).status).toBe(200);
  });

  describe.for(['identity', 'gzip'])('Range on %s', (encoding) => {
    const whole = (): Answer => (encoding === 'gzip' ? packed : plain);
    const part = (range: string, more: Record<string, string> = {}) =>
      download(url, { 'accept-encoding': encoding, range, ...more });

    function expectPart(answer: Answer, from: number, end: number): void {
      expect(answer.status).toBe(206);
      const size = whole().bytes.length;
      expect(answer.headers.get('content-range')).toBe(`bytes ${from}-${end - 1}/${size}`);
      expect(answer.headers.get('content-length')).toBe(String(end - from));
      expect(answer.headers.get('content-encoding')).toBe(encoding === 'gzip' ? 'gzip' : null);
      expect(etag(answer)).toBe(etag(whole()));
      expect(answer.bytes.equals(whole().bytes.subarray(from, end))).toBe(true);
    }

    test('first, middle, open end, suffix, last byte, beyond the end', async () => {
      const size = whole().bytes.length;
      expectPart(await part('bytes=0-0'), 0, 1);
      expectPart(await part('bytes=0-99'), 0, 100);
      expectPart(await part('bytes=1000-1999'), 1000, 2000);
      expectPart(await part(`bytes=${size - 7}-`), size - 7, size);
      expectPart(await part('bytes=-7'), size - 7, size);
      expectPart(await part(`bytes=${size - 1}-${size - 1}`), size - 1, size);
      expectPart(await part('bytes=10-999999999'), 10, size);
      expectPart(await part('bytes=0-'), 0, size);
      expectPart(await part('bytes=-999999999'), 0, size);
    });

    test('parts put together are the whole', async () => {
      const size = whole().bytes.length;
      const step = Math.ceil(size / 7);
      const parts: Buffer[] = [];
      for (let from = 0; from < size; from += step) {
        const answer = await part(`bytes=${from}-${from + step - 1}`, {
          'if-range': etag(whole()),
        });
        expectPart(answer, from, Math.min(size, from + step));
        parts.push(answer.bytes);
      }
      expect(Buffer.concat(parts).equals(whole().bytes)).toBe(true);
    });

    test('one that cannot be satisfied is 416 and tells the length', async () => {
      const size = whole().bytes.length;
      for (const range of [
        `bytes=${size}-`,
        `bytes=${size + 5}-${size + 9}`,
        'bytes=-0',
        'bytes=99999999999999999999-',
      ]) {
        const answer = await part(range);
        expectError(answer, 416);
        expect(answer.headers.get('content-range')).toBe(`bytes */${size}`);
        expect(answer.headers.get('content-encoding')).toBeNull();
      }
    });

    test('one of another unit is ignored; a malformed one is ignored or refused', async () => {
      expect((await part('items=0-5')).bytes.equals(whole().bytes)).toBe(true);
      for (const range of [
        'bytes=abc',
        'bytes=',
        'bytes',
        'bytes=5-2',
        'bytes=-',
        'bytes=1-2-3',
        'bytes=0x1-5',
      ]) {
        const answer = await part(range);
        expect(answer.status, range).toBeOneOf([200, 416]);
        if (answer.status === 200) expect(answer.bytes.equals(whole().bytes)).toBe(true);
        else expectError(answer, 416);
      }
    });

    test('several ranges get a lawful answer', async () => {
      const answer = await part('bytes=0-1,10-11');
      expect(answer.status).toBeOneOf([200, 206]);
      if (answer.status === 200) expect(answer.bytes.equals(whole().bytes)).toBe(true);
      else expect(answer.headers.get('content-type')).toMatch(/^multipart\/byteranges/);
    });

    test('If-Range: the part when it is right, the whole when it is wrong', async () => {
      expectPart(await part('bytes=5-9', { 'if-range': etag(whole()) }), 5, 10);
      const otherEncoding = etag(encoding === 'gzip' ? plain : packed);
      for (const wrong of [
        '"x"',
        `W/${etag(whole())}`,
        otherEncoding,
        'Sat, 01 Jan 2000 00:00:00 GMT',
        'nonsense',
      ]) {
        const answer = await part('bytes=5-9', { 'if-range': wrong });
        expect(answer.status, wrong).toBe(200);
        expect(answer.headers.get('content-range')).toBeNull();
        expect(answer.bytes.equals(whole().bytes)).toBe(true);
      }
    });

    test('If-None-Match goes before Range', async () => {
      expect((await part('bytes=0-9', { 'if-none-match': etag(whole()) })).status).toBe(304);
    });

    test('HEAD has the headers of GET and no body', async () => {
      const { origin } = new URL(url);
      const head = await exact(origin, url.slice(origin.length), {
        method: 'HEAD',
        headers: { 'accept-encoding': encoding },
      });
      expect(head.status).toBe(200);
      expect(head.bytes).toHaveLength(0);
      for (const name of [
        'content-type',
        'content-length',
        'content-encoding',
        'etag',
        'cache-control',
        'vary',
      ]) {
        expect(head.headers.get(name), name).toBe(whole().headers.get(name));
      }
    });
  });

  describe('the signature is compared as the full text it was issued as: altered or missing is 403', () => {
    const altered = async (text: string): Promise<void> => {
      expect(text).not.toBe(url);
      const details = expectError(await download(text), 403);
      expect(details).not.toContain(signature());
    };
    const signature = (): string => /[0-9a-f]{16,}$/.exec(url)?.[0] ?? '';
    const unsigned = (): string => url.slice(0, url.length - signature().length);

    test('the URL ends with a signature in hex', () => {
      for (const one of done.urls) expect(one).toMatch(/[0-9a-f]{32,}$/);
    });

    test('one character, at every place', async () => {
      const hex = signature();
      for (let i = 0; i < hex.length; i++) {
        const digit = ((Number.parseInt(hex[i] ?? '0', 16) + 1) % 16).toString(16);
        await altered(unsigned() + hex.slice(0, i) + digit + hex.slice(i + 1));
      }
    });

    test('upper case', async () => {
      await altered(unsigned() + signature().toUpperCase());
      const firstLetter = signature().search(/[a-f]/);
      const one = signature();
      await altered(
        unsigned() +
          one.slice(0, firstLetter) +
          (one[firstLetter] ?? '').toUpperCase() +
          one.slice(firstLetter + 1),
      );
    });

    test('truncated, prolonged, doubled', async () => {
      const hex = signature();
      for (const sig of [
        hex.slice(0, -1),
        hex.slice(0, -2),
        hex.slice(0, 16),
        hex.slice(1),
        `${hex}0`,
        `${hex}00`,
        hex + hex,
        `0${hex}`,
      ]) {
        await altered(unsigned() + sig);
      }
      await altered(`${url}%20`);
      await altered(`${url}%00`);
      await altered(`${url}/`);
    });

    test('written in another way: percent-encoded', async () => {
      const hex = signature();
      const code = `%${(hex.codePointAt(0) ?? 0).toString(16)}`;
      await altered(unsigned() + code + hex.slice(1));
    });

    test('missing', async () => {
      await altered(unsigned());
      const withoutQuery = url.split('?')[0] ?? '';
      if (withoutQuery !== url) await altered(withoutQuery);
      await altered(unsigned() + '0'.repeat(signature().length));
    });

    test('with an extra query parameter, before or after', async () => {
      const join = url.includes('?') ? '&' : '?';
      await altered(`${url}${join}x=1`);
      await altered(`${url}${join}`);
      if (url.includes('?')) {
        await altered(url.replace('?', '?x=1&'));
        await altered(`${url}&${url.slice(url.indexOf('?') + 1)}`);
      }
    });

    test('swapped between two files', async () => {
      const second = done.urls[1] ?? '';
      const theirs = /[0-9a-f]{16,}$/.exec(second)?.[0] ?? '';
      expect(theirs).not.toBe(signature());
      await altered(unsigned() + theirs);
      await altered(second.slice(0, second.length - theirs.length) + signature());
    });

    test('any digit of the path or the query before it changed: never a file', async () => {
      const { origin } = new URL(url);
      for (let i = origin.length; i < unsigned().length; i++) {
        const char = url[i] ?? '';
        if (!/[0-9A-Za-z]/.test(char)) continue;
        const changed = char === '1' ? '2' : char === 'a' ? 'b' : /\d/.test(char) ? '1' : 'a';
        const answer = await download(url.slice(0, i) + changed + url.slice(i + 1));
        // A changed name of the route is an unknown route; what the signature covers is 403.
        expect(answer.status, `${i}: ${char} -> ${changed}`).toBeOneOf([403, 404]);
      }
    });

    test('with a good token beside it, by HEAD, with Range, If-None-Match', async () => {
      const bad = unsigned() + signature().replace(/.$/, (last) => (last === '0' ? '1' : '0'));
      expectError(await download(bad, main.auth), 403);
      expectError(await download(bad, { range: 'bytes=0-9' }), 403);
      expectError(await download(bad, { 'if-none-match': '*' }), 403);
      const { origin } = new URL(bad);
      const head = await exact(origin, bad.slice(origin.length), { method: 'HEAD' });
      expect(head.status).toBe(403);
      expect(head.bytes).toHaveLength(0);
    });

    test('and the right one still opens the file', async () => {
      expect((await download(url)).bytes.equals(plain.bytes)).toBe(true);
    });
  });

  test('a hundred downloads at once are all whole', async () => {
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        download(url, i % 2 === 0 ? {} : { 'accept-encoding': 'gzip' }),
      ),
    );
    for (const [i, answer] of answers.entries()) {
      expect(answer.status).toBe(200);
      expect(answer.bytes.equals(i % 2 === 0 ? plain.bytes : packed.bytes)).toBe(true);
    }
  });
});
