import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import {
  ask,
  create,
  exported,
  fakeServer,
  firstUrl,
  FROM,
  plain,
  post,
  read,
  TO,
  listUrls,
} from './fake-server-calls.ts';

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
    const urls = listUrls(await exported(fake));
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
    const url = listUrls(done)[0] as string;
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
