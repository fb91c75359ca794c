import type { Order } from '@tillroll/contract';
import { describe, expect, test } from 'vitest';
import type { FakeServerOptions, Faults } from './fake-server/index.ts';
import {
  contents,
  expectComplete,
  catchFailure,
  pullAsProcess,
  RETRY,
  Scene,
  FROM,
  MONTH,
  MONTH_FILE,
  TO,
} from './scene.ts';

/** Both ways of getting at the objects must give all of them, whatever happens on the way. */
async function expectAll(scene: Scene): Promise<void> {
  await expectComplete(scene, scene.pull());
  expect(await readOrderIds(scene)).toEqual(scene.fake.objects('ORDERS', FROM, TO));
}

async function readOrderIds(scene: Scene): Promise<string[]> {
  const orders: Order[] = [];
  for await (const order of scene.client().orders({ from: FROM, to: TO })) orders.push(order);
  return orders.map((order) => JSON.stringify(order));
}

async function expectFault(scene: Scene, code: string, message: RegExp): Promise<void> {
  const result = await scene.pull();
  expect(result.complete).toBe(false);
  expect(result.failed).toMatchObject([{ code, name: MONTH }]);
  expect(result.failed[0]?.message).toMatch(message);
  // Nothing half-written has a name that somebody would read.
  expect(await contents(scene.out)).toEqual({});
  const iterated = await catchFailure(readOrderIds(scene));
  expect(iterated.code).toBe(code);
}

const files = (scene: Scene) => scene.fake.requests.filter(({ kind }) => kind === 'file');

describe('what passes', () => {
  test.concurrent.each([
    ['a reset before the answer', { reset: { on: 'file', at: 'before', per: 'path', times: 2 } }],
    ['a reset in the headers', { reset: { on: 'file', at: 'headers', per: 'path', times: 1 } }],
    ['5xx', { status: { on: 'file', status: 502, every: 2 } }],
    ['429', { status: { on: 'file', status: 429, retryAfter: 0, every: 2 } }],
    ['a cut', { cut: { on: 'file', bytes: 3000, length: 'promised', per: 'path', times: 1 } }],
    [
      'a cut in chunks',
      { cut: { on: 'file', bytes: -9, length: 'chunked', per: 'path', times: 2 } },
    ],
    ['a cut that says nothing', { cut: { on: 'file', bytes: -1, per: 'path', times: 2 } }],
    ['an altered file', { altered: { per: 'path', times: 2 } }],
    ['HTML', { html: { on: 'file', per: 'path', times: 1 } }],
    ['gzip unasked', { encoding: { on: 'file', how: 'gzip' } }],
    ['gzip, not said', { encoding: { on: 'file', how: 'gzip-unmarked' } }],
    ['gzip that ends early', { encoding: { on: 'file', how: 'gzip-cut', per: 'path', times: 1 } }],
    ['gzip and more', { encoding: { on: 'file', how: 'gzip-tail', per: 'path', times: 1 } }],
    ['said to be gzip', { encoding: { on: 'file', how: 'marked-only' } }],
    ['an unknown encoding', { encoding: { on: 'file', how: 'unknown' } }],
    ['reversed', { order: { how: 'reversed' } }],
    ['shuffled at each read', { order: { how: 'shuffled' } }],
    ['a redirect', { redirect: { on: 'file', to: 'same-host' } }],
    ['another host', { redirect: { on: 'file', to: 'elsewhere' } }],
    ['URLs of another host', { urls: { how: 'elsewhere' } }],
    ['URLs that expired (403)', { urlsExpire: { ms: 0, times: 1, status: 403 } }],
    ['URLs that expired (410)', { urlsExpire: { ms: 0, times: 2 } }],
    ['a slow one', { slow: { on: 'file', latencyMs: 50, bytesPerSecond: 60_000 } }],
    ['a byte order mark', { layout: { how: 'bom' } }],
    ['no manifest', { manifest: { missing: 'all' } }],
    ['a manifest too short', { manifest: { missing: 'last' } }],
  ] satisfies [string, Faults][])('%s', async (_name, faults) => {
    await using scene = await Scene.begin({ faults });
    await expectAll(scene);
    expect(scene.count('create')).toBe(2);
  });

  test.concurrent('no export has objects: files without a byte', async () => {
    await using scene = await Scene.begin({ faults: { empty: {} } });
    expect(await readOrderIds(scene)).toEqual([]);
    const result = await scene.pull();
    expect(result).toMatchObject({ complete: true, receipt: { objects: 0 } });
    expect(await contents(scene.out)).toEqual({
      [MONTH_FILE]: expect.stringMatching(/^0 e3b0c442/),
    });
  });

  test.concurrent('one file without objects', async () => {
    await using scene = await Scene.begin({ faults: { empty: { how: 'empty-file' } } });
    const result = await scene.pull();
    expect(result).toMatchObject({ complete: true, receipt: { objects: 0 } });
  });
});

describe('broken off in mid-body', () => {
  const reset: Faults = { reset: { on: 'file', at: { bytes: 500 }, per: 'path', times: 1 } };

  test.concurrent('goes on by Range: no byte twice', async () => {
    await using scene = await Scene.begin({ faults: reset, gzip: false });
    await expectComplete(scene, scene.pull());
    const resumed = files(scene).filter(({ range }) => range !== undefined);
    expect(resumed).toHaveLength(5);
    expect(resumed.every(({ status, range }) => status === 206 && range === 'bytes=500-')).toBe(
      true,
    );
    const sizes = scene.fake.exports[0]?.files.map(
      (_, i) => scene.fake.exports[0]?.makeBytes(i).length,
    );
    const sent = files(scene).reduce((sum, { bytesSent }) => sum + bytesSent, 0);
    expect(sent).toBe(sizes?.reduce((sum: number, size) => sum + (size ?? 0), 0));
  });

  test.concurrent.each([
    ['ignored', 'ignored'],
    ['answered from the start', 'from-start'],
    ['answered with other bytes', 'lying'],
    ['refused', 'refused'],
    ['of a file that changed', 'changed'],
  ] as const)('Range is %s: begins again', async (_name, how) => {
    await using scene = await Scene.begin({ faults: { ...reset, range: { how } } });
    // Only what cannot be told from the answer itself is found by its checksum, as damage.
    const badFile = how === 'lying' ? 3 : 1;
    await expectComplete(scene, scene.pull({}, scene.client({ retry: { ...RETRY, badFile } })));
    expect(files(scene)).toHaveLength(3 * 5);
    expect(await readOrderIds(scene)).toEqual(scene.fake.objects('ORDERS', FROM, TO));
  });

  test.concurrent.each([
    [undefined, 206],
    ['ignored', 200],
    ['lying', 206],
    ['changed', 200],
  ] as const)('without a manifest the ETag decides; Range %s', async (how, status) => {
    const faults = {
      ...reset,
      manifest: { missing: 'all' as const },
      ...(how && { range: { how } }),
    };
    await using scene = await Scene.begin({ faults });
    await expectComplete(scene, scene.pull());
    const resumed = files(scene).filter(({ range }) => range !== undefined);
    expect(resumed).toHaveLength(5);
    expect(resumed.every((request) => request.status === status)).toBe(true);
    expect(resumed.every(({ headers }) => headers['if-range'] !== undefined)).toBe(true);
  });

  test.concurrent('of a body that was gzip: goes on with what it inflates to', async () => {
    const encoding = { on: 'file', how: 'gzip', per: 'path', times: 1 } as const;
    const at = { bytes: 1000 };
    await using scene = await Scene.begin({
      faults: { encoding, reset: { on: 'file', at, per: 'path', times: 1 } },
    });
    await expectComplete(scene, scene.pull());
    const resumed = files(scene).filter(({ range }) => range !== undefined);
    expect(resumed.length).toBeGreaterThan(0);
    expect(resumed.every(({ status }) => status === 206)).toBe(true);
  });

  test.concurrent('no Range, and every file breaks off five times', async () => {
    await using scene = await Scene.begin({
      tillroll: false,
      faults: { reset: { on: 'file', at: { bytes: 500 }, per: 'path', times: 5 } },
    });
    await expectComplete(scene, scene.pull());
    expect(files(scene).some(({ range }) => range !== undefined)).toBe(false);
    expect(files(scene)).toHaveLength(5 * 6);
  });

  test.concurrent('for ever: bounded tries', async () => {
    await using scene = await Scene.begin({
      tillroll: false,
      faults: { reset: { on: 'file', at: { bytes: 500 } } },
    });
    const client = scene.client({ retry: { ...RETRY, attempts: 4 } });
    const error = await catchFailure(scene.pull({ downloads: 1 }, client), 'NETWORK');
    expect(error.message).toMatch(/file 0 of export \w{13} broke off again and again/);
    expect(files(scene)).toHaveLength(4);
  });

  test.concurrent('cut off politely, without a manifest: the JSON tells', async () => {
    await using scene = await Scene.begin({
      tillroll: false,
      faults: { cut: { on: 'file', bytes: -1, per: 'path', times: 1 } },
    });
    await expectAll(scene);
  });
});

describe('what does not pass', () => {
  test.concurrent.each([
    [
      'right length, other bytes',
      'BAD_FILE',
      /damaged: its SHA-256 is \w+, and the manifest says/,
      { altered: {} },
    ],
    ['a wrong sum', 'BAD_FILE', /SHA-256/, { manifest: { sha256: 'wrong' } }],
    [
      'a wrong count',
      'BAD_FILE',
      /holds 10 objects, and the manifest says 11/,
      { manifest: { at: 1, objects: 1 } },
    ],
    ['a wrong length', 'BAD_FILE', /has \d+ bytes of \d+/, { manifest: { bytes: 1 } }],
    ['too long', 'BAD_FILE', /is longer than \d+ bytes/, { manifest: { bytes: -1 } }],
    ['a cut', 'BAD_FILE', /unexpected end of file/, { cut: { on: 'file', bytes: -1 } }],
    ['HTML', 'BAD_FILE', /does not begin with/, { html: { on: 'file' } }],
    ['an endless one', 'BAD_FILE', /is longer than/, { endless: { on: 'file' } }],
    ['a bomb', 'BAD_FILE', /is longer than/, { bomb: { on: 'file', inflatedBytes: 2 ** 21 } }],
    ['a loop', 'PROTOCOL', /redirects over and over/, { redirect: { on: 'file', to: 'loop' } }],
    ['a sum that is none', 'PROTOCOL', /not an export/, { manifest: { sha256: 'garbage' } }],
    [
      'a file on this disk',
      'PROTOCOL',
      /neither http nor https: "file:\/\/\/etc/,
      { urls: { how: 'file' } },
    ],
    [
      'a redirect to it',
      'PROTOCOL',
      /neither http/,
      { redirect: { on: 'file', to: 'file:///etc/passwd' } },
    ],
    ['ftp', 'PROTOCOL', /neither http nor https/, { urls: { how: 'ftp' } }],
    ['a script', 'PROTOCOL', /neither http nor https/, { urls: { how: 'javascript' } }],
    ['data', 'PROTOCOL', /neither http nor https/, { urls: { how: 'data' } }],
    ['a user', 'PROTOCOL', /a user or a password/, { urls: { how: 'userinfo' } }],
    ['a part of a URL', 'PROTOCOL', /is not a URL/, { urls: { how: 'relative' } }],
    ['no URL', 'PROTOCOL', /is not a URL: "no URL at all"/, { urls: { how: 'text' } }],
    ['403 for ever', 'GONE', /HTTP 403/, { urlsExpire: { ms: 0, status: 403 } }],
  ] satisfies [string, string, RegExp, Faults][])('%s', async (_name, code, message, faults) => {
    await using scene = await Scene.begin({ faults });
    await expectFault(scene, code, message);
    expect(files(scene).length).toBeLessThan(60);
    scene.fake.set({});
    await expectComplete(scene, scene.pull());
  });

  test.concurrent.each([
    ['gzip that ends early', { encoding: { on: 'file', how: 'gzip-cut' } }],
  ] satisfies [string, Faults][])('%s, always', async (_name, faults) => {
    await using scene = await Scene.begin({ faults });
    const error = await catchFailure(
      scene.pull().then(({ failed: [failure] }) => Promise.reject(failure as unknown as Error)),
    ).catch((failure: unknown) => failure as { code: string });
    expect(['NETWORK', 'BAD_FILE']).toContain(error.code);
    expect(files(scene).length).toBeLessThan(70);
  });

  test.concurrent('files whose URLs differ in their query alone are told apart', async () => {
    const { listFiles } = await import('../src/download/file-list.ts');
    const elements = [1, 2, 3].map((file) => ({
      url: `https://a.example/export?file=${file}&signature=${file * 7}`,
      export: { id: 'E' },
    }));
    const listed = listFiles({ exportUrls: { elements } } as never);
    expect(listed?.map(({ url }) => url)).toEqual(elements.map(({ url }) => url));
    expect(new Set(listed?.map(({ key }) => key)).size).toBe(3);
  });

  test.concurrent('from https to http: not followed', async () => {
    const { parseFileUrl } = await import('../src/download/parse-file-url.ts');
    const at = new URL('https://a.example');
    expect(() => parseFileUrl('http://a.example/f', at)).toThrow(/leaves https for http/);
    expect(parseFileUrl('https://b.example/f', at).host).toBe('b.example');
  });
});

describe('memory is bounded, and it ends', () => {
  const endless: [string, RegExp, FakeServerOptions][] = [
    [
      'objects without end',
      /is longer than 536870912 bytes/,
      { faults: { endless: { on: 'file' } } },
    ],
    [
      'blanks without end',
      /is longer than 536870912 bytes/,
      { faults: { endless: { on: 'file', how: 'space' } } },
    ],
    ['a bomb', /an object is over 64 MiB/, { faults: { bomb: { on: 'file' } } }],
  ];
  test.each(endless)('%s', { timeout: 60_000 }, async (_name, message, options) => {
    await using scene = await Scene.begin({ ...options, tillroll: false, orders: 5 });
    const outcome = await pullAsProcess(scene, { client: { retry: { ...RETRY, badFile: 2 } } });
    expect(outcome).toMatchObject({ complete: false, failed: [{ code: 'BAD_FILE' }] });
    expect(outcome.failed[0]?.message).toMatch(message);
    expect(outcome.peakBytes / 2 ** 20).toBeLessThan(350);
  });
});
