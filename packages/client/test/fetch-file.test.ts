import { describe, expect, test } from 'vitest';
import { BODY, fetchFrom } from './fetch-file-scene.ts';
import { FileServer, fixedUrls, gzipped, serve, status } from './file-server.ts';
import { catchFailure } from './scene.ts';

describe('a file is kept as it came', () => {
  test('gzip is asked for, also on this machine, and not undone', async () => {
    const zipped = gzipped(BODY);
    await using server = await FileServer.begin(serve(zipped, { 'content-encoding': 'gzip' }));
    const { bytes, encoding, received } = await fetchFrom(server);
    expect(server.seen[0]?.headers['accept-encoding']).toBe('gzip');
    expect(server.seen[0]?.headers['authorization']).toBeUndefined();
    expect(bytes.equals(zipped)).toBe(true);
    expect(encoding).toBe('gzip');
    expect(received).toBe(zipped.length);
  });

  test.each([
    ['x-gzip', 'gzip'],
    ['identity', 'identity'],
    ['', 'identity'],
    // The check of the content decides what becomes of it.
    ['x-tar-and-feathers', 'identity'],
  ])('Content-Encoding %j is %s', async (value, expected) => {
    const body = expected === 'gzip' ? gzipped(BODY) : BODY;
    await using server = await FileServer.begin(serve(body, { 'content-encoding': value }));
    const { bytes, encoding } = await fetchFrom(server);
    expect(bytes.equals(body)).toBe(true);
    expect(encoding).toBe(expected);
  });

  test('gzip that nobody announced stays what it is', async () => {
    const zipped = gzipped(BODY);
    await using server = await FileServer.begin(serve(zipped));
    const { bytes, encoding } = await fetchFrom(server, { expectedBytes: BODY.length });
    expect(bytes.equals(zipped)).toBe(true);
    expect(encoding).toBe('identity');
  });

  test('what is announced as gzip and is not stays what it is', async () => {
    await using server = await FileServer.begin(serve(BODY, { 'content-encoding': 'gzip' }));
    const { bytes, encoding } = await fetchFrom(server, { expectedBytes: BODY.length });
    expect(bytes.equals(BODY)).toBe(true);
    expect(encoding).toBe('identity');
  });

  test('an empty file is a file', async () => {
    await using server = await FileServer.begin(serve(Buffer.alloc(0)));
    expect((await fetchFrom(server)).bytes).toHaveLength(0);
  });
});

describe('refused', () => {
  test.each([401, 403, 404, 410])('%i: the URL is refreshed', async (code) => {
    await using server = await FileServer.begin(status(code), serve(BODY));
    const urls = fixedUrls(`${server.url}/old`, [`${server.url}/new`]);
    const { bytes, waits } = await fetchFrom(server, { urls });
    expect(bytes.equals(BODY)).toBe(true);
    expect(server.seen.map(({ url }) => url)).toEqual(['/old', '/new']);
    expect(waits).toEqual([]);
  });

  test('for ever: two refreshes, then GONE', async () => {
    await using server = await FileServer.begin(status(403));
    const error = await catchFailure(fetchFrom(server), 'GONE');
    expect(error).toMatchObject({ status: 403 });
    expect(error.message).toBe('file 0 of export X cannot be downloaded: HTTP 403');
    expect(server.seen).toHaveLength(3);
  });

  test.each([
    [503, 'NETWORK', 3],
    [429, 'UNAVAILABLE', 2],
    [400, 'REFUSED', 1],
    [206, 'REFUSED', 1],
  ] as const)('%i: %s after %i requests', async (code, expected, requests) => {
    await using server = await FileServer.begin(status(code));
    const api = server.api({ retry: { attempts: 3, rateLimited: 2 } });
    await catchFailure(fetchFrom(server, { api }), expected);
    expect(server.seen).toHaveLength(requests);
  });
});

describe('bounds', () => {
  test.each([
    ['identity', BODY, {}],
    ['gzip', gzipped(BODY), { 'content-encoding': 'gzip' }],
  ])('%s that is longer than announced is not read to its end', async (_name, body, headers) => {
    await using server = await FileServer.begin(serve(body, headers));
    const error = await catchFailure(fetchFrom(server, { expectedBytes: 90_000 }), 'BAD_FILE');
    expect(error.message).toMatch(/^it is longer than 9\d,?\d{3} bytes$/);
  });

  test('a gzip of a few bytes may be longer than its content', async () => {
    const zipped = gzipped(Buffer.from('{"elements":[]}'));
    await using server = await FileServer.begin(serve(zipped, { 'content-encoding': 'gzip' }));
    expect((await fetchFrom(server, { expectedBytes: 15 })).bytes.equals(zipped)).toBe(true);
  });
});

describe('redirects', () => {
  test('are followed five times, without a token', async () => {
    const next = (n: number) => status(302, { location: `/${n}` });
    await using server = await FileServer.begin(
      next(1),
      next(2),
      next(3),
      next(4),
      next(5),
      serve(BODY),
    );
    expect((await fetchFrom(server)).bytes.equals(BODY)).toBe(true);
    expect(server.seen.every(({ headers }) => headers.authorization === undefined)).toBe(true);
    server.script(status(307, { location: '/again' }));
    const error = await catchFailure(fetchFrom(server), 'PROTOCOL');
    expect(error.message).toMatch(/redirects over and over/);
  });

  test.each([
    ['file:///etc/passwd', /neither http nor https/],
    ['http://user:word@127.0.0.1/', /a user or a password/],
    ['http://[', /is not a URL/],
  ])('to %s are not followed', async (location, message) => {
    await using server = await FileServer.begin(status(302, { location }));
    const error = await catchFailure(fetchFrom(server), 'PROTOCOL');
    expect(error.message).toMatch(message);
    expect(error.message).not.toContain('word@');
  });

  test('from https to http are not followed', async () => {
    const { parseFileUrl } = await import('../src/download/parse-file-url.ts');
    const from = new URL('https://a.example');
    expect(() => parseFileUrl('http://a.example/f', from)).toThrow(/leaves https for http/);
    expect(parseFileUrl('https://b.example/f', from).host).toBe('b.example');
  });
});
