import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { ExportApi } from '../src/api/export-api.ts';
import { fetchFile } from '../src/download/fetch-file.ts';
import { listFiles } from '../src/download/file-list.ts';
import { FileUrls } from '../src/download/file-urls.ts';
import { obtainExport } from '../src/download/obtain-export.ts';
import { MemorySink } from '../src/download/sink.ts';
import type { Waiting } from '../src/index.ts';
import { startFakeServer, type FakeServer, type FakeServerOptions } from './fake-server/index.ts';
import { catchFailure, FROM, LONG_FROM, LONG_TO, RETRY, Scene, TO } from './scene.ts';

const ORDERS = { type: 'ORDERS', startTime: FROM, endTime: TO } as const;
const PAYMENTS = { ...ORDERS, type: 'PAYMENTS' } as const;

async function begin(
  options: FakeServerOptions = {},
): Promise<{ fake: FakeServer; api: ExportApi }> {
  const small = { from: FROM, to: TO, orders: 45, perFile: 10, ready: { polls: 0 } };
  const fake = await startFakeServer({ ...small, ...options });
  const { url, merchant, token } = fake;
  return { fake, api: new ExportApi({ url, merchant, token, retry: RETRY }) };
}

describe("the server's clock", () => {
  test.each([
    ['an hour behind', -3_600_000, {}, -3_600_000],
    ['an hour behind in a cache that sent it an hour later', -3_600_000, { age: '3600' }, 0],
    ['ten minutes ahead, kept for a minute', 540_000, { age: '60' }, 600_000],
    ['with an age that is not a number', -60_000, { age: 'old' }, 0],
    ['within two seconds', 1_000, {}, 0],
  ])('%s', async (_name, aheadMs, headers, expected) => {
    const server = createServer((_request, response) => {
      response.sendDate = false;
      const date = new Date(Date.now() + aheadMs).toUTCString();
      response.writeHead(200, { date, ...headers });
      response.end('{"open":true,"region":"us","hours":"always","nextOpen":null,"nextClose":null}');
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    const api = new ExportApi({ url: `http://127.0.0.1:${port}`, merchant: 'M1', token: 'token' });
    await api.availability();
    expect(Math.abs(api.clock.aheadMs - expected)).toBeLessThanOrEqual(expected === 0 ? 0 : 2_000);
    server.closeAllConnections();
    await once(server.close(), 'close');
  });
});

describe('a create', () => {
  test('whose answer is lost is sent again with the same key; another create has another one', async () => {
    const keys: unknown[] = [];
    const server = createServer((request, response) => {
      keys.push(request.headers['idempotency-key']);
      request.resume();
      if (keys.length === 1) return void response.destroy();
      response.end(
        `{"id":"0123456789ABC","type":"ORDERS","status":"PENDING","percentComplete":0,"startTime":${FROM},"endTime":${TO},"createdTime":1,"modifiedTime":1,"merchantRef":{"id":"M1"}}`,
      );
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    const url = `http://127.0.0.1:${port}`;
    const api = new ExportApi({ url, merchant: 'M1', token: 'token', retry: RETRY });
    await api.create(ORDERS);
    await api.create(ORDERS);
    server.closeAllConnections();
    await once(server.close(), 'close');
    expect(keys).toHaveLength(3);
    for (const key of keys) expect(key).toMatch(/^[!-~]{1,255}$/);
    expect(keys[1]).toBe(keys[0]);
    expect(keys[2]).not.toBe(keys[0]);
  });
});

describe('a call that waits', () => {
  test('tells its own caller, and no other one of the same client', async () => {
    await using scene = await Scene.begin({
      payments: 5,
      maxOpen: 9,
      faults: { status: { on: 'file', status: 500, times: 3, type: 'PAYMENTS' } },
    });
    const client = scene.client();
    const heard: Record<string, Waiting[]> = { orders: [], payments: [], create: [] };
    const listen = (name: string) => (waiting: Waiting) => void heard[name]?.push(waiting);
    const read = async (objects: AsyncIterable<unknown>): Promise<number> => {
      let count = 0;
      for await (const _ of objects) count++;
      return count;
    };
    const span = { from: FROM, to: TO };
    const counts = await Promise.all([
      read(client.orders({ ...span, onWaiting: listen('orders') })),
      read(client.payments({ ...span, onWaiting: listen('payments') })),
      client.create(ORDERS, { onWaiting: listen('create') }),
    ]);
    expect(counts.slice(0, 2)).toEqual([45, 5]);
    expect(heard['orders']).toEqual([]);
    expect(heard['create']).toEqual([]);
    expect(heard['payments']).toHaveLength(3);
    expect(heard['payments']?.every(({ message }) => message.startsWith('file 0 of export'))).toBe(
      true,
    );
  });

  test('a create that has to wait tells of that alone', async () => {
    const { fake, api } = await begin({
      faults: { status: { on: 'create', status: 503, times: 2 } },
    });
    await using _ = fake;
    const waits: Waiting[] = [];
    await api.create(ORDERS, { onWaiting: (waiting) => void waits.push(waiting) });
    expect(waits.map(({ reason }) => reason)).toEqual(['busy', 'busy']);
    await api.create(PAYMENTS);
    expect(waits).toHaveLength(2);
  });
});

describe('an export is obtained', () => {
  test('that an earlier run asked for: no other one is created', async () => {
    const { fake, api } = await begin();
    await using _ = fake;
    const { id } = await api.create(ORDERS);
    expect((await obtainExport(api, ORDERS, { exportId: id })).id).toBe(id);
    expect(fake.exports).toHaveLength(1);
  });

  test.each([
    ['FAILED', { failed: { times: 1 } }],
    ['forgotten', { forgotten: { reads: 0, times: 1 } }],
    ['without files', { vanished: { downloads: 0, times: 1 } }],
  ] as [string, FakeServerOptions['faults'] & object][])(
    'in place of one that is %s by now',
    async (_name, faults) => {
      const { fake, api } = await begin({ faults });
      await using _ = fake;
      const { id } = await api.create(ORDERS);
      const created: string[] = [];
      const onCreated = async (made: string): Promise<void> => void created.push(made);
      const exported = await obtainExport(api, ORDERS, { exportId: id, onCreated });
      expect(exported.status).toBe('DONE');
      expect(created).toEqual([exported.id]);
      expect(exported.id).not.toBe(id);
    },
  );

  test('three times at most, and the failure is told', async () => {
    const { fake, api } = await begin({ faults: { failed: { code: 'WORKER_LOST' } } });
    await using _ = fake;
    const error = await catchFailure(obtainExport(api, ORDERS), 'EXPORT_FAILED');
    expect(error.message).toMatch(/ended as FAILED: WORKER_LOST/);
    expect(fake.exports).toHaveLength(3);
  });
});

describe('URLs that expired together', () => {
  test('are refreshed by one reading of the export', async () => {
    const { fake, api } = await begin({ faults: { urlsExpire: { ms: 0, times: 1 } } });
    await using _ = fake;
    const exported = await obtainExport(api, ORDERS);
    const listed = listFiles(exported) ?? [];
    const signal = new AbortController().signal;
    const urls = new FileUrls(api, exported.id, listed, { signal });
    const reads = (): number => fake.requests.filter(({ kind }) => kind === 'read').length;
    const before = reads();
    const fetched = listed.slice(0, 4).map(async (file, position) => {
      const sink = new MemorySink();
      await fetchFile(api, { ...file, name: `file ${position}` }, urls, sink, { signal });
      return sink.take().length;
    });
    for (const length of await Promise.all(fetched)) expect(length).toBeGreaterThan(100);
    expect(reads()).toBe(before + 1);
    expect(fake.requests.filter(({ kind }) => kind === 'file')).toHaveLength(8);
  });
});

describe('orders()', () => {
  const read = async (scene: Scene, span = { from: FROM, to: TO }): Promise<string[]> => {
    const texts: string[] = [];
    for await (const order of scene.client().orders(span)) texts.push(JSON.stringify(order));
    return texts;
  };

  test.each(['gzip', 'gzip-unmarked', 'unknown'] as const)(
    'of files that come as %s',
    async (how) => {
      await using scene = await Scene.begin({ faults: { encoding: { on: 'file', how } } });
      expect(await read(scene)).toEqual(scene.fake.objects('ORDERS'));
    },
  );

  test('of a service with inclusive bounds: each once, across months', async () => {
    const long = { from: LONG_FROM, to: LONG_TO };
    const faults = { bounds: { how: 'inclusive' } } as const;
    await using scene = await Scene.begin({ ...long, orders: 90, faults });
    const ids = (texts: readonly string[]) =>
      texts.map((text) => (JSON.parse(text) as { id: string }).id);
    expect(ids(await read(scene, long))).toEqual(
      ids(scene.fake.objects('ORDERS', LONG_FROM, LONG_TO)),
    );
  });

  test('of files that vanish: those of a new export continue', async () => {
    const faults = { vanished: { downloads: 3, times: 1 } } as const;
    await using scene = await Scene.begin({ faults });
    expect(await read(scene)).toEqual(scene.fake.objects('ORDERS'));
    expect(scene.fake.exports).toHaveLength(2);
  });

  test('is read no further than the caller wants', async () => {
    await using scene = await Scene.begin({ orders: 100 });
    scene.fake.set({ slow: { on: 'file', position: 1, latencyMs: 5000 } });
    const began = performance.now();
    let count = 0;
    for await (const _ of scene.client().orders({ from: FROM, to: TO })) if (++count === 5) break;
    expect(performance.now() - began).toBeLessThan(3000);
  });
});
