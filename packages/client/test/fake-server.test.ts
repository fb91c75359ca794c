import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:https';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text as textOf } from 'node:stream/consumers';
import { DAY_MS, type Order } from '@tillroll/contract';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  ask,
  create,
  exported,
  fakeServer,
  firstUrl,
  FROM,
  fetchOrders,
  plain,
  post,
  read,
  texts,
  TO,
  listUrls,
  path,
} from './fake-server-calls.ts';
import { mostAtOnce } from './fake-server/index.ts';

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
    expect(listUrls(again)[0]).not.toBe(listUrls(done)[0]);
    expect(new URL(listUrls(again)[0] as string).pathname).toBe(
      new URL(listUrls(done)[0] as string).pathname,
    );
  });

  test('half-open: neighbours share nothing and miss nothing', async () => {
    const fake = await fakeServer();
    const middle = (JSON.parse(fake.objects('ORDERS')[12] as string) as Order).createdTime;
    const before = await fetchOrders(await exported(fake, 'ORDERS', FROM, middle));
    const after = await fetchOrders(await exported(fake, 'ORDERS', middle, TO));
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
    const [url] = listUrls(done) as [string];
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
    const file = await plain(listUrls(done)[0] as string, { range: 'bytes=1-2' });
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
