import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:https';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text as textOf } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { DAY_MS, type ExportObject, type ExportType, type Order } from '@tillroll/contract';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  mostAtOnce,
  pretty,
  startFakeServer,
  type FakeServer,
  type FakeServerOptions,
  type FaultKinds,
  type Faults,
} from './fake-server/index.ts';

const FROM = Date.UTC(2026, 0, 1);
const TO = FROM + 10 * DAY_MS;

async function fakeServer(options: FakeServerOptions = {}): Promise<FakeServer> {
  const counts = { orders: 25, payments: 12, perFile: 10, ready: { polls: 0 } };
  const fake = await startFakeServer({ from: FROM, to: TO, ...counts, ...options });
  onTestFinished(() => fake.close());
  return fake;
}

const path = (fake: FakeServer): string => `/v3/merchants/${fake.merchant}/exports`;

async function post(fake: FakeServer, body: unknown, init: RequestInit = {}): Promise<Response> {
  return fetch(fake.url + path(fake), {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { authorization: `Bearer ${fake.token}` },
    ...init,
  });
}

async function create(
  fake: FakeServer,
  type: ExportType = 'ORDERS',
  startTime = FROM,
  endTime = TO,
) {
  const response = await post(fake, { type, startTime, endTime });
  expect(response.status).toBe(200);
  return (await response.json()) as ExportObject;
}

async function ask(fake: FakeServer, id: string): Promise<Response> {
  const headers = { authorization: `Bearer ${fake.token}` };
  return fetch(`${fake.url}${path(fake)}/${id}`, { headers });
}

async function read(fake: FakeServer, id: string): Promise<ExportObject> {
  const response = await ask(fake, id);
  expect(response.status).toBe(200);
  return (await response.json()) as ExportObject;
}

/** Only identity: fetch asks for gzip by itself. */
const plain = (url: string, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(url, { headers: { 'accept-encoding': 'identity', ...headers } });

const urlsOf = (one: ExportObject): string[] =>
  one.exportUrls?.elements.map(({ url }) => url) ?? [];

async function exported(fake: FakeServer, type?: ExportType, start?: number, end?: number) {
  const done = await read(fake, (await create(fake, type, start, end)).id);
  expect(done.status).toBe('DONE');
  return done;
}

async function firstUrl(fake: FakeServer): Promise<string> {
  return urlsOf(await exported(fake))[0] as string;
}

async function texts(one: ExportObject): Promise<string[]> {
  return Promise.all(urlsOf(one).map(async (url) => (await plain(url)).text()));
}

async function ordersOf(one: ExportObject): Promise<Order[]> {
  return (await texts(one)).flatMap((text) => (JSON.parse(text) as { elements: Order[] }).elements);
}

describe('without faults it obeys the contract', () => {
  test('the same seed makes the same objects, with ties, edges and texts of all kinds', async () => {
    const options = { orders: 2000, payments: 2000, to: FROM + 60 * DAY_MS };
    const [one, two, other] = await Promise.all([
      fakeServer(options),
      fakeServer(options),
      fakeServer({ ...options, seed: 2 }),
    ]);
    for (const type of ['ORDERS', 'PAYMENTS'] as const) {
      expect(one.objects(type)).toEqual(two.objects(type));
      expect(one.objects(type)).not.toEqual(other.objects(type));
      expect(one.objects(type)).toHaveLength(2000);
    }
    const orders = one.objects('ORDERS').map((text) => JSON.parse(text) as Order);
    expect(new Set(orders.map(({ id }) => id)).size).toBe(2000);
    expect(orders.every(({ id }) => /^[0-9A-HJKMNP-TV-Z]{13}$/.test(id))).toBe(true);
    const times = orders.map(({ createdTime }) => createdTime);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(new Set(times).size).toBeLessThan(1990);
    expect(times).toContain(FROM);
    expect(times).toContain(Date.UTC(2026, 0, 16));
    expect(times).toContain(Date.UTC(2026, 1, 1));
    const sizes = one.objects('ORDERS').map((text) => text.length);
    expect(Math.min(...sizes)).toBeGreaterThan(400);
    expect(Math.max(...sizes)).toBeLessThan(1500);
    expect(one.objects('ORDERS').join('')).toMatch(/🎂/u);
    const paid = orders.find(({ payments }) => payments);
    const sum = paid?.payments?.elements.reduce((all, { amount = 0 }) => all + amount, 0);
    expect(sum).toBe(paid?.total);
  });

  test('PENDING, IN_PROGRESS, DONE; members in order; files add up to the source', async () => {
    const fake = await fakeServer({ ready: { polls: 2 } });
    const made = await create(fake);
    expect(made).toMatchObject({ status: 'PENDING', percentComplete: 0 });
    const pending = await read(fake, made.id);
    const running = await read(fake, made.id);
    const done = await read(fake, made.id);
    expect([pending, running, done].map((one) => [one.status, one.percentComplete])).toEqual([
      ['PENDING', 0],
      ['IN_PROGRESS', 50],
      ['DONE', 100],
    ]);
    expect(Object.keys(done).join()).toBe(
      'id,type,status,percentComplete,availableUntil,startTime,endTime,createdTime,modifiedTime,exportUrls,merchantRef,files',
    );
    const files = await texts(done);
    const source = fake.objects('ORDERS');
    expect(files).toEqual(
      [0, 10, 20].map((at) => `{"elements":[${source.slice(at, at + 10).join(',')}]}`),
    );
    expect(done.files?.elements).toEqual(
      files.map((text, i) => ({
        objects: [10, 10, 5][i],
        bytes: Buffer.byteLength(text),
        sha256: createHash('sha256').update(text).digest('hex'),
      })),
    );
    const again = await read(fake, made.id);
    expect(urlsOf(again)[0]).not.toBe(urlsOf(done)[0]);
    expect(new URL(urlsOf(again)[0] as string).pathname).toBe(
      new URL(urlsOf(done)[0] as string).pathname,
    );
  });

  test('half-open: neighbours share nothing and miss nothing', async () => {
    const fake = await fakeServer();
    const middle = (JSON.parse(fake.objects('ORDERS')[12] as string) as Order).createdTime;
    const before = await ordersOf(await exported(fake, 'ORDERS', FROM, middle));
    const after = await ordersOf(await exported(fake, 'ORDERS', middle, TO));
    const ids = [...before, ...after].map(({ id }) => id);
    expect(ids).toEqual(fake.objects('ORDERS').map((text) => (JSON.parse(text) as Order).id));
    expect(after[0]?.createdTime).toBe(middle);
  });

  test('refusals: 400, 401, 404, 405, 403, 410, 503', async () => {
    const fake = await fakeServer({ ready: { polls: 99 }, maxOpen: 1 });
    const wanted = { type: 'ORDERS', startTime: FROM, endTime: TO };
    expect((await post(fake, { ...wanted, endTime: FROM + 30 * DAY_MS + 1 })).status).toBe(400);
    expect(await (await post(fake, { ...wanted, type: 'X' })).json()).toHaveProperty('details');
    for (const headers of [{}, { authorization: 'Bearer nope' }]) {
      const response = await post(fake, wanted, { headers });
      expect(response.status).toBe(401);
      expect(await response.text()).toBe('{"message":"401 Unauthorized"}');
    }
    expect(await (await ask(fake, '0123456789ABC')).text()).toBe(
      '{"message":"Not Found","details":"Export not found"}',
    );
    expect((await fetch(`${fake.url}/nothing`)).status).toBe(404);
    expect((await fetch(fake.url + path(fake), { method: 'PUT' })).status).toBe(405);
    await create(fake);
    const full = await post(fake, wanted);
    expect([full.status, full.headers.get('retry-after')]).toEqual([503, '1']);
    fake.setHours('never');
    const closed = await post(fake, wanted);
    expect([closed.status, closed.headers.get('retry-after')]).toEqual([503, null]);

    const open = await fakeServer({ retentionMs: 500 });
    const done = await exported(open);
    const [url] = urlsOf(done) as [string];
    expect((await plain(`${url}0`)).status).toBe(403);
    expect((await plain(url)).status).toBe(200);
    await expect.poll(async () => (await plain(url)).status, { timeout: 5000 }).toBe(410);
    expect(await read(open, done.id)).not.toHaveProperty('exportUrls');
  });

  test('Tillroll: Range, If-Range, ETag, gzip, the list, availability', async () => {
    const fake = await fakeServer();
    const url = await firstUrl(fake);
    const whole = await plain(url);
    const bytes = Buffer.from(await whole.arrayBuffer());
    const etag = whole.headers.get('etag') as string;
    const part = await plain(url, { range: 'bytes=100-199', 'if-range': etag });
    expect([part.status, part.headers.get('content-range')]).toEqual([
      206,
      `bytes 100-199/${bytes.length}`,
    ]);
    expect(Buffer.from(await part.arrayBuffer())).toEqual(bytes.subarray(100, 200));
    expect((await plain(url, { range: 'bytes=1-', 'if-range': '"x"' })).status).toBe(200);
    expect((await plain(url, { range: 'bytes=9999999-' })).status).toBe(416);
    const zipped = await fetch(url);
    expect(zipped.headers.get('content-encoding')).toBe('gzip');
    expect(Buffer.from(await zipped.arrayBuffer())).toEqual(bytes);
    const headers = { authorization: `Bearer ${fake.token}` };
    const list = await fetch(fake.url + path(fake), { headers });
    expect(await list.json()).toMatchObject({ elements: [{ status: 'DONE' }] });
    expect(await (await fetch(`${fake.url}/v3/availability`)).json()).toMatchObject({ open: true });
  });

  test('Clover: none of these', async () => {
    const fake = await fakeServer({ tillroll: false });
    const done = await exported(fake);
    expect(done).not.toHaveProperty('files');
    const file = await plain(urlsOf(done)[0] as string, { range: 'bytes=1-2' });
    expect([file.status, file.headers.get('etag')]).toEqual([200, null]);
    expect((await fetch(`${fake.url}/v3/availability`)).status).toBe(404);
    expect((await fetch(fake.url + path(fake))).status).toBe(405);
  });

  test('the log, a base path, objects of the test, changes of the source', async () => {
    const mine = '{"id":"A",  "createdTime":5,"x":1.0}';
    const fake = await fakeServer({ basePath: '/api', objects: { ORDERS: [mine] } });
    expect(await texts(await exported(fake, 'ORDERS', 0, 10))).toEqual([`{"elements":[${mine}]}`]);
    expect(fake.requests.map((one) => [one.kind, one.status, one.authorization])).toEqual([
      ['create', 200, true],
      ['read', 200, true],
      ['file', 200, false],
    ]);
    expect(fake.requests[2]).toMatchObject({ tokenSeen: false, position: 0, outcome: 'sent' });
    expect(fake.requests[2]?.path).toBe(`/api/v3/files/${fake.exports[0]?.id}/0`);
    expect(mostAtOnce(fake.requests)).toBe(1);
    fake.put('ORDERS', ['{"id":"A","createdTime":5}', '{"id":"B","createdTime":4}']);
    expect(fake.objects('ORDERS')).toEqual([
      '{"id":"B","createdTime":4}',
      '{"id":"A","createdTime":5}',
    ]);
  });
});

describe('faults of any answer', () => {
  test('status: so many times, each k-th, after some, per path; with Retry-After of all kinds', async () => {
    const status = { on: 'create', status: 503, times: 1 } as const;
    const fake = await fakeServer({ maxOpen: 99 });
    const wanted = { type: 'ORDERS', startTime: FROM, endTime: TO };
    for (const retryAfter of [7, -1, 999_999_999, 'soon']) {
      fake.set({ status: { ...status, retryAfter } });
      const response = await post(fake, wanted);
      expect([response.status, response.headers.get('retry-after')]).toEqual([
        503,
        String(retryAfter),
      ]);
      expect((await post(fake, wanted)).status).toBe(200);
    }
    fake.set({ status: { ...status, retryAfter: { dateIn: 100 } } });
    const dated = Date.parse((await post(fake, wanted)).headers.get('retry-after') ?? '');
    expect(Math.abs(dated - Date.now() - 100_000)).toBeLessThan(2000);

    fake.set({ status: { on: ['create', 'read'], status: 429, every: 2 } });
    const seen = [];
    for (let i = 0; i < 4; i++) seen.push((await post(fake, wanted)).status);
    expect(seen).toEqual([200, 429, 200, 429]);
    fake.set({ status: { on: ['create', 'read'], status: 401, after: 1 } });
    const { id } = await create(fake);
    expect(await (await ask(fake, id)).text()).toBe('{"message":"401 Unauthorized"}');

    fake.set({ status: { on: 'file', status: 500, times: 1, per: 'path' } });
    const urls = urlsOf(await exported(fake));
    for (const expected of [500, 200]) {
      for (const url of urls) expect((await plain(url)).status).toBe(expected);
    }
  });

  test('reset before the answer, in its headers, in its body; a stall; both closing and leaving are quick', async () => {
    const fake = await fakeServer();
    const url = await firstUrl(fake);
    for (const at of ['before', 'headers'] as const) {
      fake.set({ reset: { on: 'file', at } });
      await expect(plain(url)).rejects.toThrow('fetch failed');
      expect(fake.requests.at(-1)).toMatchObject({ faults: ['reset'], bytesSent: 0 });
    }
    fake.set({ reset: { on: 'file', at: { bytes: 1000 } } });
    const response = await plain(url);
    let received = 0;
    await expect(async () => {
      for await (const chunk of response.body ?? []) received += (chunk as Uint8Array).length;
    }).rejects.toThrow('terminated');
    expect(received).toBe(1000);

    fake.set({ stall: { on: 'file', at: { bytes: 10 } } });
    const silent = await fetch(url, { signal: AbortSignal.timeout(150) });
    await expect(silent.text()).rejects.toThrow(/timeout/);
    const held = (await plain(url)).text().catch(() => 'closed');
    const began = performance.now();
    await fake.close();
    expect(await held).toBe('closed');
    expect(performance.now() - began).toBeLessThan(2000);
  });

  test('cut: with the right length, with its own, and chunked', async () => {
    const fake = await fakeServer();
    const url = await firstUrl(fake);
    const size = (await (await plain(url)).text()).length;
    for (const length of ['promised', 'chunked'] as const) {
      fake.set({ cut: { on: 'file', bytes: 100, length } });
      const response = await plain(url);
      expect(response.headers.has('content-length')).toBe(length === 'promised');
      await expect(response.text()).rejects.toThrow('terminated');
    }
    fake.set({ cut: { on: 'file', bytes: -2 } });
    const honest = await (await plain(url)).arrayBuffer();
    expect(honest.byteLength).toBeGreaterThan(size - 2);
    expect(Buffer.from(honest).toString()).not.toMatch(/\]\}$/);
  });

  test('html on all three; a clock that is off; slow', async () => {
    const fake = await fakeServer();
    fake.set({ html: { on: ['create', 'read', 'file'], times: 1 } });
    const wanted = { type: 'ORDERS', startTime: FROM, endTime: TO };
    const page = await post(fake, wanted);
    expect([page.status, await page.text()]).toEqual([200, expect.stringMatching(/^<!doctype/)]);
    fake.set({ clock: { offsetMs: 3_600_000 } });
    const done = await exported(fake);
    expect(done.createdTime - Date.now()).toBeGreaterThan(3_500_000);
    expect((done.availableUntil ?? 0) - done.createdTime).toBeGreaterThan(86_399_000);
    const url = urlsOf(done)[0] as string;
    const date = Date.parse((await plain(url)).headers.get('date') ?? '');
    expect(date - Date.now()).toBeGreaterThan(3_500_000);
    fake.set({ slow: { on: 'file', latencyMs: 50, bytesPerSecond: 100_000 } });
    const began = performance.now();
    const { length } = await (await plain(url)).text();
    expect(performance.now() - began).toBeGreaterThan(50 + (length / 100_000) * 700);
  });

  test('redirects: elsewhere, to the same host, for ever, to anything', async () => {
    const fake = await fakeServer();
    const url = await firstUrl(fake);
    fake.set({ redirect: { on: ['read', 'file'], to: 'elsewhere' } });
    const id = fake.exports[0]?.id as string;
    expect((await read(fake, id)).status).toBe('DONE');
    const last = fake.requests.at(-1);
    expect(last).toMatchObject({ place: 'elsewhere', status: 200, tokenSeen: false });
    expect((await plain(url)).status).toBe(200);
    fake.set({ redirect: { on: 'file', to: 'same-host', status: 302 } });
    const response = await plain(url);
    expect([response.status, response.redirected]).toEqual([200, true]);
    fake.set({ redirect: { on: 'file', to: 'loop' } });
    await expect(plain(url)).rejects.toThrow('fetch failed');
    fake.set({ redirect: { on: 'file', to: 'file:///etc/passwd' } });
    const manual = await fetch(url, { redirect: 'manual' });
    expect(manual.headers.get('location')).toBe('file:///etc/passwd');
  });

  test('bodies without an end, and a bomb', async () => {
    const fake = await fakeServer();
    const url = await firstUrl(fake);
    for (const how of ['objects', 'space'] as const) {
      fake.set({ endless: { on: 'file', how, bytes: 200_000 } });
      await expect((await plain(url)).text()).rejects.toThrow('terminated');
      expect(fake.requests.at(-1)?.bytesSent).toBeGreaterThanOrEqual(200_000);
    }
    fake.set({ bomb: { on: 'file', inflatedBytes: 70_000_000 } });
    let inflated = 0;
    for await (const chunk of (await plain(url)).body ?? []) {
      inflated += (chunk as Uint8Array).length;
    }
    expect(inflated).toBeGreaterThan(70_000_000);
    await expect.poll(() => fake.requests.at(-1)?.outcome).toBe('sent');
    expect(fake.requests.at(-1)?.bytesSent).toBeLessThan(200_000);
  });

  test('encodings nobody asked for', async () => {
    const fake = await fakeServer();
    const url = await firstUrl(fake);
    const text = await (await plain(url)).text();
    fake.set({ encoding: { on: 'file', how: 'gzip' } });
    const zipped = await plain(url);
    expect([zipped.headers.get('content-encoding'), await zipped.text()]).toEqual(['gzip', text]);
    fake.set({ encoding: { on: 'file', how: 'gzip-unmarked' } });
    const raw = await plain(url);
    expect(raw.headers.get('content-encoding')).toBeNull();
    expect(gunzipSync(Buffer.from(await raw.arrayBuffer())).toString()).toBe(text);
    fake.set({ encoding: { on: 'file', how: 'marked-only' } });
    await expect((await plain(url)).text()).rejects.toThrow('terminated');
    fake.set({ encoding: { on: 'file', how: 'gzip-cut' } });
    const short = await (await plain(url)).text();
    expect(short.length, 'fetch takes a gzip without its end for a whole one').toBeLessThan(
      text.length,
    );
    expect(text.startsWith(short)).toBe(true);
    fake.set({ encoding: { on: 'file', how: 'gzip-tail' } });
    expect((await plain(url)).headers.get('content-encoding')).toBe('gzip');
    fake.set({ encoding: { on: 'file', how: 'unknown' } });
    expect((await plain(url)).headers.get('content-encoding')).toBe('x-tar-and-feathers');
  });
});

describe('faults of the export', () => {
  test('members set, taken away, huge', async () => {
    const fake = await fakeServer();
    fake.set({ members: { on: 'read', inStatus: 'DONE', remove: ['exportUrls'], padBytes: 9 } });
    expect(await exported(fake)).toMatchObject({ status: 'DONE', padding: 'xxxxxxxxx' });
    expect(await exported(fake)).not.toHaveProperty('exportUrls');
    fake.set({ members: { on: 'create', set: { id: '../../etc', odd: 1 } } });
    expect(await create(fake)).toMatchObject({ id: '../../etc', odd: 1 });
  });

  test('another order of the files, other URLs, URLs that do not hold', async () => {
    const fake = await fakeServer();
    const { id } = await create(fake);
    const positions = (one: ExportObject): string[] =>
      urlsOf(one).map((url) => new URL(url).pathname.slice(-1));
    fake.set({ order: { how: 'reversed' } });
    const reversed = await read(fake, id);
    expect(positions(reversed)).toEqual(['2', '1', '0']);
    expect(reversed.files?.elements.map(({ objects }) => objects)).toEqual([5, 10, 10]);
    fake.set({ order: { how: 'shuffled' } });
    const orders = new Set<string>();
    for (let i = 0; i < 40; i++) orders.add(positions(await read(fake, id)).join());
    expect(orders.size).toBeGreaterThan(1);

    const starts = {
      file: /^file:/,
      ftp: /^ftp:/,
      javascript: /^javascript:/,
      data: /^data:/,
      elsewhere: new RegExp(`^${fake.elsewhereUrl}`),
      userinfo: /^http:\/\/somebody:word@127/,
      relative: /^\/v3\/files/,
      text: /^no URL/,
    };
    for (const [how, start] of Object.entries(starts) as [keyof typeof starts, RegExp][]) {
      fake.set({ urls: { how } });
      expect(urlsOf(await read(fake, id))[0]).toMatch(start);
    }
    fake.set({ urls: { how: 'elsewhere' } });
    expect((await plain(urlsOf(await read(fake, id))[0] as string)).status).toBe(200);

    fake.set({ urlsExpire: { ms: 0, status: 403, times: 1 } });
    expect((await plain(urlsOf(await read(fake, id))[0] as string)).status).toBe(403);
    expect((await plain(urlsOf(await read(fake, id))[0] as string)).status).toBe(200);
  });

  test('a manifest that is wrong', async () => {
    const fake = await fakeServer();
    const right = (await exported(fake)).files?.elements ?? [];
    fake.set({ manifest: { at: 1, sha256: 'wrong', objects: 1, bytes: -1 } });
    const wrong = (await exported(fake)).files?.elements ?? [];
    expect([wrong[0], wrong[2]]).toEqual([right[0], right[2]]);
    expect(wrong[1]).toMatchObject({ objects: 11, bytes: (right[1]?.bytes ?? 0) - 1 });
    expect(wrong[1]?.sha256).not.toBe(right[1]?.sha256);
    fake.set({ manifest: { missing: 'last' } });
    expect((await exported(fake)).files?.elements).toHaveLength(2);
    fake.set({ manifest: { missing: 'all' } });
    expect(await exported(fake)).not.toHaveProperty('files');
  });

  test('never finished, failed, forgotten, vanished', async () => {
    const fake = await fakeServer({ maxOpen: 9 });
    fake.set({ unfinished: { times: 1 } });
    const { id } = await create(fake);
    for (let i = 0; i < 3; i++) expect((await read(fake, id)).status).toBe('IN_PROGRESS');
    await exported(fake);
    fake.set({ failed: { times: 1, code: 'WORKER_LOST' } });
    const failed = await read(fake, (await create(fake)).id);
    expect(failed).toMatchObject({ status: 'FAILED', failure: { code: 'WORKER_LOST' } });
    await exported(fake);
    fake.set({ forgotten: { reads: 1 } });
    const lost = await exported(fake);
    expect((await ask(fake, lost.id)).status).toBe(404);
    fake.set({ vanished: { downloads: 1 } });
    const done = await exported(fake);
    const statuses = [];
    for (const url of urlsOf(done)) statuses.push((await plain(url)).status);
    expect(statuses).toEqual([200, 410, 410]);
    expect(await read(fake, done.id)).not.toHaveProperty('exportUrls');
  });
});

describe('faults of the objects', () => {
  const at = (id: string, createdTime: number): string =>
    JSON.stringify({ id, createdTime, modifiedTime: 9_000_000 });
  const five = [1, 2, 3, 4, 5].map((time) => at(`T${time}`, time));

  async function idsWith(faults: Faults, start = 2, end = 4): Promise<string[][]> {
    const fake = await fakeServer({ objects: { ORDERS: five }, perFile: 2, faults });
    const files = await texts(await exported(fake, 'ORDERS', start, end));
    return files.map((text) =>
      (JSON.parse(text) as { elements: Order[] }).elements.map((one) => one.id),
    );
  }

  test('bounds, duplicates, none at all, no order', async () => {
    expect(await idsWith({})).toEqual([['T2', 'T3']]);
    expect(await idsWith({ bounds: { how: 'inclusive' } })).toEqual([['T2', 'T3'], ['T4']]);
    expect(await idsWith({ bounds: { how: 'exclusive-start' } })).toEqual([['T3', 'T4']]);
    expect(await idsWith({ duplicate: { how: 'in-file' } })).toEqual([['T2', 'T3', 'T2']]);
    expect(await idsWith({ duplicate: { how: 'across-files' } })).toEqual([['T2', 'T3'], ['T2']]);
    expect(await idsWith({ duplicate: { how: 'across-exports' } })).toEqual([['T1', 'T2'], ['T3']]);
    expect(await idsWith({ empty: {} })).toEqual([]);
    expect(await idsWith({ empty: { how: 'empty-file' } })).toEqual([[]]);
    const unsorted = (await idsWith({ unsorted: {} }, 1, 6)).flat();
    expect(unsorted.toSorted()).toEqual(['T1', 'T2', 'T3', 'T4', 'T5']);
    expect(unsorted).not.toEqual(unsorted.toSorted());
  });

  test('at the edge: newer or older than elsewhere', async () => {
    const fake = await fakeServer({ objects: { ORDERS: five } });
    for (const [how, sign] of [
      ['newer', 1],
      ['older', -1],
    ] as const) {
      fake.set({ edge: { how }, bounds: { how: 'inclusive' } });
      const orders = await ordersOf(await exported(fake, 'ORDERS', 2, 4));
      expect(orders.map((one) => one.modifiedTime - 9_000_000)).toEqual([3_600_000 * sign, 0, 0]);
    }
  });

  test('huge and broken ones', async () => {
    const fake = await fakeServer();
    fake.set({ huge: {} });
    const [first] = await ordersOf(await exported(fake));
    expect(Buffer.byteLength(first?.note ?? '')).toBe(5_000_000);

    const serve = async (broken: FaultKinds['broken']) => {
      fake.set({ broken });
      return Buffer.from(await (await plain(await firstUrl(fake))).arrayBuffer());
    };
    const element = async (broken: FaultKinds['broken']): Promise<unknown> =>
      (JSON.parse((await serve(broken)).toString()) as { elements: unknown[] }).elements[0];
    expect(await element({ how: 'no-id' })).not.toHaveProperty('id');
    expect(await element({ how: 'no-createdTime' })).not.toHaveProperty('createdTime');
    expect(await element({ how: 'no-modifiedTime' })).not.toHaveProperty('modifiedTime');
    expect(await element({ how: 'id-number' })).toHaveProperty('id', 12345);
    expect(await element({ how: 'id-empty' })).toHaveProperty('id', '');
    expect(await element({ how: 'id-path' })).toHaveProperty('id', '../../../tmp/x');
    expect(await element({ how: 'createdTime-string' })).toHaveProperty('createdTime', `${FROM}`);
    expect(await element({ how: 'createdTime-far' })).toHaveProperty('createdTime', 1e300);
    expect(await element({ how: 'null' })).toBeNull();
    expect(await element({ how: 'number' })).toBe(42);
    expect(await element({ how: 'string' })).toBeTypeOf('string');
    expect(await element({ how: 'array' })).toEqual([]);
    expect((await serve({ how: 'deep' })).includes('['.repeat(100_000))).toBe(true);
    expect((await serve({ how: 'proto' })).includes('"__proto__":{')).toBe(true);
    expect((await serve({ how: 'invalid-utf8' })).includes(0xff)).toBe(true);
    for (const how of ['raw-newline', 'unbalanced'] as const) {
      const text = (await serve({ how })).toString();
      expect(() => JSON.parse(text) as unknown).toThrow(SyntaxError);
    }
  });
});

describe('faults of the files', () => {
  test('layouts: other JSON, or none', async () => {
    const fake = await fakeServer();
    const right = await (await plain(await firstUrl(fake))).text();
    const served = async (layout: FaultKinds['layout']) => {
      fake.set({ layout });
      const done = await exported(fake);
      const bytes = Buffer.from(await (await plain(urlsOf(done)[0] as string)).arrayBuffer());
      const sum = createHash('sha256').update(bytes).digest('hex');
      expect(done.files?.elements[0]?.sha256, 'files describes what is served').toBe(sum);
      return bytes.toString();
    };
    const spread = await served({ how: 'pretty' });
    expect(spread.split('\n').length).toBeGreaterThan(200);
    expect(JSON.parse(spread)).toEqual(JSON.parse(right));
    expect(JSON.parse(await served({ how: 'lines' }))).toEqual(JSON.parse(right));
    expect(JSON.parse(await served({ how: 'more-members' }))).toMatchObject(
      JSON.parse(right) as object,
    );
    expect((await served({ how: 'bom' })).charCodeAt(0)).toBe(0xfeff);
    expect(await served({ how: 'no-end' })).toBe(right.slice(0, -2));
    expect(await served({ how: 'garbage-after' })).toMatch(/\]\}\n<!--/);
    expect(await served({ how: 'two-documents' })).toBe(right + right);
    expect(await served({ how: 'trailing-comma' })).toMatch(/,\]\}$/);
    expect(await served({ how: 'bare-array' })).toMatch(/^\[\{/);
    expect(await served({ how: 'other-member' })).toMatch(/^\{"items":\[/);
    expect(await served({ how: 'elements-object' })).toBe('{"elements":{}}');
    expect(await served({ how: 'elements-twice' })).toMatch(/^\{"elements":\[\],"elements":\[\{/);
    expect(await served({ how: 'nothing' })).toBe('');
  });

  test('pretty leaves strings and numbers alone', () => {
    const text = String.raw`{"a{":"x,[\"}:\\","b":[1.0,-0,1e5,{}],"c":"\\"}`;
    expect(pretty(text).replaceAll(/\s+(?=(?:[^"]|"(?:[^"\\]|\\.)*")*$)/g, '')).toBe(text);
  });

  test('altered on the way; ranges that are not what was asked for', async () => {
    const fake = await fakeServer();
    const url = await firstUrl(fake);
    const right = Buffer.from(await (await plain(url)).arrayBuffer());
    fake.set({ altered: { times: 1 } });
    const altered = Buffer.from(await (await plain(url)).arrayBuffer());
    expect(altered.length).toBe(right.length);
    expect(altered.filter((byte, i) => byte !== right[i])).toHaveLength(1);
    expect(JSON.parse(altered.toString())).toHaveProperty('elements.9');
    expect(Buffer.from(await (await plain(url)).arrayBuffer())).toEqual(right);

    const part = async (how: 'ignored' | 'from-start' | 'lying' | 'refused') => {
      fake.set({ range: { how } });
      const response = await plain(url, { range: 'bytes=10-' });
      const bytes = Buffer.from(await response.arrayBuffer());
      return { status: response.status, range: response.headers.get('content-range'), bytes };
    };
    expect(await part('ignored')).toEqual({ status: 200, range: null, bytes: right });
    const size = right.length;
    expect(await part('from-start')).toEqual({
      status: 206,
      range: `bytes 0-${size - 1}/${size}`,
      bytes: right,
    });
    const lying = await part('lying');
    expect([lying.status, lying.range]).toEqual([206, `bytes 10-${size - 1}/${size}`]);
    expect(lying.bytes).not.toEqual(right.subarray(10));
    expect((await part('refused')).status).toBe(416);
    fake.set({ range: { how: 'changed' } });
    const tags = new Set([1, 2].map(async () => (await plain(url)).headers.get('etag')));
    expect(new Set(await Promise.all(tags)).size).toBe(2);
  });
});

test('https, with a certificate that holds for 127.0.0.1', async () => {
  const fake = await fakeServer({ https: true });
  expect(fake.url).toMatch(/^https:/);
  const sent = request(`${fake.url}/v3/availability`, { ca: fake.certificate }).end();
  const [response] = (await once(sent, 'response')) as [NodeJS.ReadableStream];
  expect(JSON.parse(await textOf(response))).toMatchObject({ open: true });
});

test('as a process of its own: ready, faults, log, changes, end', async () => {
  const main = join(import.meta.dirname, 'fake-server/main.ts');
  const args = [
    '--objects',
    '50',
    '--token',
    'T',
    '--faults',
    '{"status":{"on":"availability","status":503,"times":1}}',
  ];
  const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  const url = /^ready (http:\/\/127\.0\.0\.1:[0-9]+)$/.exec(line)?.[1] as string;
  expect((await fetch(`${url}/v3/availability`)).status).toBe(503);
  expect((await fetch(`${url}/v3/availability`)).status).toBe(200);
  const control = (name: string, body?: string): Promise<Response> =>
    fetch(`${url}/.fake-server/${name}`, body === undefined ? {} : { method: 'PUT', body });
  await control('faults', '{"status":{"on":"availability","status":500}}');
  expect((await fetch(`${url}/v3/availability`)).status).toBe(500);
  expect(await (await control('requests')).json()).toHaveLength(3);
  await control('objects/ORDERS', '{"id":"A","createdTime":1}\n');
  expect(await (await control('objects/ORDERS')).json()).toHaveLength(51);
  child.kill('SIGTERM');
  expect((await once(child, 'exit'))[0]).toBe(0);
});
