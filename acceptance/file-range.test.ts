import { beforeAll, describe, expect, test } from 'vitest';
import { download, type Finished, HOUR, line, main, choosePeriod } from './api.ts';
import { type Answer, exact } from './exact-requests.ts';
import { expectError } from './error-shapes.ts';

const START = choosePeriod(2018);

const span = (n: number): number => START + n * HOUR;

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
});
