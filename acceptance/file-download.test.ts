import { createHash } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { beforeAll, describe, expect, test } from 'vitest';
import { download, type Finished, HOUR, line, main, choosePeriod } from './api.ts';
import type { Answer } from './exact-requests.ts';

const START = choosePeriod(2017);

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
