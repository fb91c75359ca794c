import { describe, expect, test } from 'vitest';
import { BODY, fetchFrom, STRONG } from './fetch-file-scene.ts';
import { breakOff, FileServer, gzipped, noise, serve, status } from './file-server.ts';
import { catchFailure } from './scene.ts';

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
    const error = await catchFailure(fetchFrom(server, { api }), 'NETWORK');
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
    await catchFailure(fetchFrom(server, { signal: abort.signal }), 'INTERRUPTED');
  });
});
