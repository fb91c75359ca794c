import { readdir, readFile, readlink } from 'node:fs/promises';
import http from 'node:http';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { LoadCounts } from '@tillroll/contract';
import type { Service } from '../../src/service.ts';
import { Api } from './api.ts';
import { FROM, makePlace, type Place } from './place.ts';
import { endChildren, startChild, type Child } from './process.ts';
import { serveHere } from './service.ts';
import { until } from './until.ts';

let place: Place;

beforeAll(async () => {
  place = await makePlace();
});

afterAll(async () => {
  await place.remove();
});

async function post(
  api: Api,
  body: string | Uint8Array,
  encoding = 'identity',
): Promise<LoadCounts> {
  const response = await api.fetch('/orders/bulk', {
    method: 'POST',
    body: body as string,
    headers: { 'content-type': 'application/x-ndjson', 'content-encoding': encoding },
  });
  const text = await response.text();
  expect(response.status, text).toBe(200);
  return JSON.parse(text) as LoadCounts;
}

async function stored(merchant: string): Promise<{ id: string; object: string }[]> {
  const { rows } = await place.pool.query<{ id: string; object: string }>(
    'SELECT id, object FROM tillroll.orders WHERE merchant_id = $1 ORDER BY id',
    [merchant],
  );
  return rows;
}

describe('over HTTP', () => {
  const services: (Service & { url: string })[] = [];

  beforeAll(async () => {
    for (let i = 0; i < 2; i++) services.push(await serveHere(place, { work: false }));
  });

  afterAll(async () => {
    for (const service of services) await service.stop();
  });

  async function connectApis(merchant: string): Promise<[Api, Api]> {
    const token = await place.install(merchant);
    const [first, second] = services.map(({ url }) => new Api(url, merchant, token));
    if (!first || !second) throw new Error('two services are needed');
    return [first, second];
  }

  test('overlapping loads in opposite orders end without a deadlock, the newest stored', async () => {
    const apis = await connectApis('race');
    const ids = Array.from({ length: 3000 }, (_, i) => `r${String(i).padStart(5, '0')}`);
    const version = (id: string, load: number): string =>
      `{"id":"${id}","createdTime":${FROM},"modifiedTime":${FROM + load},"load":${load}}`;
    // The newest is neither sent first nor last; every second load runs the other way.
    const loads = [3, 7, 1, 9, 0, 8, 2, 6, 4, 5];
    const answers = await Promise.all(
      loads.map((load, i) => {
        const order = load % 2 ? ids : ids.toReversed();
        return post(apis[i % 2 ? 1 : 0], order.map((id) => version(id, load)).join('\n'));
      }),
    );

    expect(await stored('race')).toEqual(ids.map((id) => ({ id, object: version(id, 9) })));
    const total = (name: keyof LoadCounts): number =>
      answers.reduce((sum, counts) => sum + counts[name], 0);
    expect(total('received')).toBe(ids.length * loads.length);
    expect(total('inserted')).toBe(ids.length);
    expect(total('inserted') + total('updated') + total('stale')).toBe(total('received'));
    const { rows } = await place.pool.query<{ deadlocks: number }>(
      'SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()',
    );
    expect(rows).toEqual([{ deadlocks: 0 }]);
  });

  test('the same file twice changes nothing', async () => {
    const [api, other] = await connectApis('twice');
    const lines = Array.from(
      { length: 1500 },
      (_, i) => `{"id":"t${i}","createdTime":${FROM + i},"total":${i}}`,
    );
    const body = lines.join('\n');
    const none = { inserted: 0, updated: 0, unchanged: 0, stale: 0 };
    expect(await post(api, body)).toEqual({ ...none, received: 1500, inserted: 1500 });
    const before = await stored('twice');
    expect(await post(api, body)).toEqual({ ...none, received: 1500, unchanged: 1500 });
    expect(await post(other, gzipSync(body), 'gzip')).toEqual({
      ...none,
      received: 1500,
      unchanged: 1500,
    });
    expect(await stored('twice')).toEqual(before);
    expect(before.map(({ object }) => object).toSorted()).toEqual(lines.toSorted());
  });

  test('a bad line in the middle of a large body: 400 with its number, and nothing is stored', async () => {
    const [api] = await connectApis('bad');
    await post(api, `{"id":"b0","createdTime":${FROM},"kept":true}`);
    const before = await stored('bad');
    const lines = Array.from(
      { length: 20_000 },
      (_, i) =>
        `{"id":"b${i}","createdTime":${i === 12_345 ? '"noon"' : FROM + i},"pad":"${'x'.repeat(200)}"}`,
    );
    const response = await api.fetch('/orders/bulk', { method: 'POST', body: lines.join('\n') });
    expect(response.status).toBe(400);
    const { message, details } = (await response.json()) as { message: string; details: string };
    expect(message).toBe('400 Bad Request');
    expect(details).toMatch(/^line 12346: createdTime must be .*; got "noon"; nothing .* stored$/);
    expect(await stored('bad')).toEqual(before);
  });
});

describe.skipIf(process.platform !== 'linux')('as a process', () => {
  let child: Child;

  beforeEach(async () => {
    child = await startChild('serve', place.environment());
  });

  afterEach(endChildren);

  /** An upload whose bytes are made as they go. */
  function upload(
    path: string,
    token: string,
  ): { request: http.ClientRequest; answer: Promise<{ status: number; text: string }> } {
    const request = http.request(new URL(path, child.url), {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/x-ndjson' },
    });
    const answer = new Promise<{ status: number; text: string }>((resolve, reject) => {
      request.once('error', reject);
      request.once('response', (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part: string) => (text += part));
        response.once('end', () => resolve({ status: response.statusCode ?? 0, text }));
      });
    });
    return { request, answer };
  }

  /** Chunks of 64 orders of 7 kB. */
  function* orders(count: number): Generator<Buffer> {
    const pad = 'x'.repeat(7_000);
    for (let from = 0; from < count; from += 64) {
      let chunk = '';
      for (let i = from; i < Math.min(count, from + 64); i++) {
        chunk += `{"id":"m${i}","createdTime":${FROM + i},"total":${i},"pad":"${pad}"}\n`;
      }
      yield Buffer.from(chunk);
    }
  }

  async function peakMegabytes(): Promise<number> {
    const status = await readFile(`/proc/${child.pid}/status`, 'utf8');
    return Number(/VmHWM:\s+([0-9]+) kB/.exec(status)?.[1]) / 1024;
  }

  /** Files below the spool directory, named or not, that the process holds open, and those that lie there. */
  async function spooled(): Promise<string[]> {
    const directory = join(place.dataDir, 'spool');
    const fds = await readdir(`/proc/${child.pid}/fd`);
    const targets = await Promise.all(
      fds.map((fd) => readlink(`/proc/${child.pid}/fd/${fd}`).catch(() => '')),
    );
    const lying = await readdir(directory).catch(() => []);
    return [...lying, ...targets.filter((target) => target.startsWith(directory))];
  }

  async function openTransactions(): Promise<number> {
    const { rows } = await place.pool.query<{ open: number }>(
      `SELECT count(*)::int AS open FROM pg_stat_activity
       WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL`,
    );
    return rows[0]?.open ?? -1;
  }

  test('a body of 200 MB passes in little memory', async () => {
    const token = await place.install('big');
    const count = 30_000;
    const idle = await peakMegabytes();
    const { request, answer } = upload('/v3/merchants/big/orders/bulk', token);
    await pipeline(Readable.from(orders(count)), request);
    expect(await answer).toMatchObject({ status: 200 });
    expect(JSON.parse((await answer).text)).toMatchObject({ received: count, inserted: count });
    const growth = (await peakMegabytes()) - idle;
    expect(growth).toBeGreaterThan(0);
    expect(growth).toBeLessThan(120);
    const { rows } = await place.pool.query(
      `SELECT count(*)::int AS objects, sum(length(object))::bigint > 200e6 AS large
       FROM tillroll.orders WHERE merchant_id = 'big'`,
    );
    expect(rows).toEqual([{ objects: count, large: true }]);
  });

  test('a connection that drops half-way leaves no file, no transaction and no object', async () => {
    const token = await place.install('half');
    const { request, answer } = upload('/v3/merchants/half/orders/bulk', token);
    const failed = answer.catch((error: unknown) => error);
    for (const chunk of orders(1000)) request.write(chunk);
    await until('it is being spooled', async () => (await spooled()).length > 0);
    // While it comes in, an upload holds nothing in the database.
    await until('no transaction is open', async () => (await openTransactions()) === 0);
    await until('its file has no name', async () => (await spooled()).length === 1);

    request.destroy();
    expect(await failed).toBeInstanceOf(Error);

    await until('the spooled file is gone', async () => (await spooled()).length === 0);
    await until('the request is over', () => child.logged('request') === 1);
    expect(child.log()).toContain('"aborted":true');
    await until('no transaction is open', async () => (await openTransactions()) === 0);
    expect(await stored('half')).toEqual([]);
  });
});
