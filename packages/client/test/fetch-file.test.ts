import { describe, expect, test } from 'vitest';
import type { ExportApi } from '../src/api/export-api.ts';
import { fetchFile } from '../src/download/fetch-file.ts';
import type { FileUrls } from '../src/download/file-urls.ts';
import { MemorySink } from '../src/download/sink.ts';
import type { Waiting } from '../src/index.ts';
import { breakOff, FileServer, fixedUrls, gzipped, noise, serve, status } from './file-server.ts';
import { failureOf } from './scene.ts';

const BODY = noise(200_000);
const STRONG = { etag: '"one"' };
const signal = new AbortController().signal;

interface Fetched {
  bytes: Buffer;
  encoding: string | undefined;
  waits: Waiting[];
  received: number;
}

async function fetchFrom(
  server: FileServer,
  how: { api?: ExportApi; urls?: FileUrls; expectedBytes?: number; signal?: AbortSignal } = {},
): Promise<Fetched> {
  const { api = server.api(), urls = fixedUrls(`${server.url}/f`), expectedBytes } = how;
  const sink = new MemorySink();
  const waits: Waiting[] = [];
  let received = 0;
  const expected =
    expectedBytes === undefined ? undefined : { objects: 1, bytes: expectedBytes, sha256: '' };
  const file = { key: 'f', name: 'file 0 of export X', expected };
  await fetchFile(api, file, urls, sink, {
    signal: how.signal ?? signal,
    onWaiting: (waiting) => void waits.push(waiting),
    onBytes: (bytes) => void (received += bytes),
  });
  return { bytes: sink.take(), encoding: sink.head?.encoding, waits, received };
}

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

describe('broken off', () => {
  test.each([
    ['identity', BODY, {}],
    ['gzip', gzipped(BODY), { 'content-encoding': 'gzip' }],
  ])('%s: resumed by Range and If-Range, no byte twice', async (_name, body, encoding) => {
    const headers = { ...STRONG, ...encoding };
    await using server = await FileServer.begin(
      breakOff(body, 70_000, headers),
      serve(body, headers),
    );
    const { bytes, received, waits } = await fetchFrom(server);
    expect(bytes.equals(body)).toBe(true);
    expect(received).toBe(body.length);
    expect(server.seen[1]?.headers).toMatchObject({
      range: 'bytes=70000-',
      'if-range': '"one"',
      'accept-encoding': 'gzip',
    });
    expect(waits).toMatchObject([{ reason: 'retry' }]);
    expect(waits[0]?.message).toMatch(/^file 0 of export X: /);
  });

  test.each([
    ['a weak ETag', { etag: 'W/"one"' }],
    ['no ETag', {}],
  ] as [string, Record<string, string>][])('%s: begins again', async (_name, headers) => {
    await using server = await FileServer.begin(
      breakOff(BODY, 70_000, headers),
      serve(BODY, headers),
    );
    const { bytes } = await fetchFrom(server);
    expect(bytes.equals(BODY)).toBe(true);
    expect(server.seen.map(({ headers: { range } }) => range)).toEqual([undefined, undefined]);
  });

  test('the file changed: begins again, and nothing of the old one is left', async () => {
    const other = noise(150_000).map((byte) => byte ^ 0xff) as Buffer;
    const changed = serve(other, { etag: '"two"' });
    await using server = await FileServer.begin(breakOff(BODY, 70_000, STRONG), changed);
    const { bytes } = await fetchFrom(server);
    expect(bytes.equals(other)).toBe(true);
    expect(server.seen.map(({ headers }) => headers.range)).toEqual([
      undefined,
      'bytes=70000-',
      undefined,
    ]);
  });

  const range = (from: number, headers: Record<string, string>, body = BODY.subarray(70_000)) =>
    ((_request, response) =>
      response
        .writeHead(206, {
          'content-range': `bytes ${from}-199999/200000`,
          'content-length': body.length,
          ...headers,
        })
        .end(body)) satisfies Parameters<FileServer['script']>[0];

  test.each([
    ['another start', range(0, STRONG, BODY)],
    ['another total', range(70_000, { 'content-range': 'bytes 70000-199999/200001' })],
    ['no Content-Range', range(70_000, { 'content-range': '' })],
    ['a Content-Range that is none', range(70_000, { 'content-range': 'bytes 70000' })],
    ['another encoding', range(70_000, { 'content-encoding': 'gzip' })],
    ['another ETag', range(70_000, { etag: '"two"' })],
    ['412', status(412)],
    ['416', status(416)],
  ])('the answer to Range has %s: begins again', async (_name, answer) => {
    await using server = await FileServer.begin(
      breakOff(BODY, 70_000, STRONG),
      answer,
      serve(BODY, STRONG),
    );
    const { bytes } = await fetchFrom(server);
    expect(bytes.equals(BODY)).toBe(true);
    expect(server.seen).toHaveLength(3);
    expect(server.seen[2]?.headers.range).toBeUndefined();
  });

  test('a range shorter than asked for: the rest is asked for, too', async () => {
    const part = range(
      70_000,
      { ...STRONG, 'content-range': 'bytes 70000-99999/200000' },
      BODY.subarray(70_000, 100_000),
    );
    await using server = await FileServer.begin(
      breakOff(BODY, 70_000, STRONG),
      part,
      serve(BODY, STRONG),
    );
    const { bytes } = await fetchFrom(server);
    expect(bytes.equals(BODY)).toBe(true);
    expect(server.seen[2]?.headers.range).toBe('bytes=100000-');
  });

  test('for ever, without progress: bounded, and the file is named', async () => {
    await using server = await FileServer.begin(breakOff(BODY, 1000, STRONG));
    const api = server.api({ retry: { attempts: 4 } });
    const error = await failureOf(fetchFrom(server, { api }), 'NETWORK');
    expect(error.message).toMatch(/^file 0 of export X broke off again and again: /);
    expect(server.seen).toHaveLength(4);
  });

  test('again and again, but further each time: comes to its end', async () => {
    // Each answer sends 70,000 bytes more of 1,000,000.
    const long = noise(1_000_000);
    await using server = await FileServer.begin((request, response) => {
      const from = Number(/=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
      const isPart = from > 0;
      response.writeHead(isPart ? 206 : 200, {
        ...STRONG,
        'content-length': long.length - from,
        ...(isPart && { 'content-range': `bytes ${from}-${long.length - 1}/${long.length}` }),
      });
      response.write(long.subarray(from, from + 70_000), () =>
        setTimeout(() => response.socket?.resetAndDestroy(), 30),
      );
    });
    const { bytes } = await fetchFrom(server, { api: server.api({ retry: { attempts: 2 } }) });
    expect(bytes.equals(long)).toBe(true);
    expect(server.seen).toHaveLength(15);
  });

  test('silence is a fault; the signal ends it at once', async () => {
    await using server = await FileServer.begin(
      () => undefined,
      (_request, response) => void response.writeHead(200).write('x'),
      serve(BODY),
    );
    const api = server.api({ retry: { silenceMs: 200 } });
    const { bytes, waits } = await fetchFrom(server, { api });
    expect(bytes.equals(BODY)).toBe(true);
    expect(waits.map(({ message }) => message)).toEqual([
      'file 0 of export X: silent for 0.2 s',
      'file 0 of export X: silent for 0.2 s',
    ]);
    const abort = new AbortController();
    server.script((_request, response) => {
      response.writeHead(200).write('x');
      abort.abort();
    });
    await failureOf(fetchFrom(server, { signal: abort.signal }), 'INTERRUPTED');
  });
});

describe('refused', () => {
  test.each([401, 403, 404, 410])('%i: the URL is renewed', async (code) => {
    await using server = await FileServer.begin(status(code), serve(BODY));
    const urls = fixedUrls(`${server.url}/old`, [`${server.url}/new`]);
    const { bytes, waits } = await fetchFrom(server, { urls });
    expect(bytes.equals(BODY)).toBe(true);
    expect(server.seen.map(({ url }) => url)).toEqual(['/old', '/new']);
    expect(waits).toEqual([]);
  });

  test('for ever: two renewals, then GONE', async () => {
    await using server = await FileServer.begin(status(403));
    const error = await failureOf(fetchFrom(server), 'GONE');
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
    await failureOf(fetchFrom(server, { api }), expected);
    expect(server.seen).toHaveLength(requests);
  });
});

describe('bounds', () => {
  test.each([
    ['identity', BODY, {}],
    ['gzip', gzipped(BODY), { 'content-encoding': 'gzip' }],
  ])('%s that is longer than announced is not read to its end', async (_name, body, headers) => {
    await using server = await FileServer.begin(serve(body, headers));
    const error = await failureOf(fetchFrom(server, { expectedBytes: 90_000 }), 'BAD_FILE');
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
    const error = await failureOf(fetchFrom(server), 'PROTOCOL');
    expect(error.message).toMatch(/redirects over and over/);
  });

  test.each([
    ['file:///etc/passwd', /neither http nor https/],
    ['http://user:word@127.0.0.1/', /a user or a password/],
    ['http://[', /is not a URL/],
  ])('to %s are not followed', async (location, message) => {
    await using server = await FileServer.begin(status(302, { location }));
    const error = await failureOf(fetchFrom(server), 'PROTOCOL');
    expect(error.message).toMatch(message);
    expect(error.message).not.toContain('word@');
  });

  test('from https to http are not followed', async () => {
    const { parseFileUrl } = await import('../src/download/file-url.ts');
    const from = new URL('https://a.example');
    expect(() => parseFileUrl('http://a.example/f', from)).toThrow(/leaves https for http/);
    expect(parseFileUrl('https://b.example/f', from).host).toBe('b.example');
  });
});
