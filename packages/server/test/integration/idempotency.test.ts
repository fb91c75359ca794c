/** Creates with an `Idempotency-Key`, over several processes, beside hours and limits, and in time. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Service } from '../../src/service.ts';
import { Api } from './api.ts';
import { FROM, makePlace, TO, type Place } from './place.ts';
import { command } from './process.ts';
import { serveHere } from './service.ts';

let place: Place;
let token: string;
const services: Service[] = [];

beforeEach(async () => {
  place = await makePlace();
  token = await place.install('M1');
});
afterEach(async () => {
  for (const service of services.splice(0)) await service.stop();
  await place.remove();
});

async function serve(more: Record<string, string> = {}): Promise<Api> {
  const service = await serveHere(place, { work: false }, more);
  services.push(service);
  return new Api(service.url, 'M1', token);
}

function create(api: Api, key: string): Promise<Response> {
  const body = JSON.stringify({ type: 'ORDERS', startTime: FROM, endTime: TO });
  return api.fetch('/exports', { method: 'POST', body, headers: { 'idempotency-key': key } });
}

async function countExports(): Promise<number> {
  const { rows } = await place.pool.query('SELECT FROM tillroll.exports');
  return rows.length;
}

test('two processes, many at the same instant: one export', async () => {
  const apis = [await serve(), await serve()];
  const answers = await Promise.all(
    Array.from({ length: 40 }, async (_, n) => {
      const response = await create(apis[n % 2] as Api, 'same');
      return `${response.status} ${await response.text()}`;
    }),
  );
  expect(new Set(answers).size).toBe(1);
  expect(answers[0]).toMatch(/^200 /);
  expect(await countExports()).toBe(1);
});

test('a replay is answered outside the hours and above the limits; what is new is not', async () => {
  const open = await serve({ TILLROLL_MAX_OPEN_EXPORTS_PER_MERCHANT: '1' });
  const first = await (await create(open, 'a')).text();
  const refused = await create(open, 'b');
  expect(refused.status).toBe(503);
  const closed = await serve({ TILLROLL_HOURS: 'never' });
  for (const api of [open, closed]) {
    const replay = await create(api, 'a');
    expect(replay.headers.get('idempotent-replayed')).toBe('true');
    expect(await replay.text()).toBe(first);
  }
  expect((await create(closed, 'b')).status).toBe(503);
  // The refusal has not used its key up.
  await place.pool.query(`UPDATE tillroll.exports SET status = 'CANCELED'`);
  expect((await create(open, 'b')).status).toBe(200);
  expect(await countExports()).toBe(2);
});

test('after a day a key is new again', async () => {
  const api = await serve();
  const first = await (await create(api, 'a')).text();
  await place.pool.query(
    'UPDATE tillroll.idempotency_keys SET created_time = created_time - 86400000',
  );
  const again = await create(api, 'a');
  expect(again.headers.get('idempotent-replayed')).toBeNull();
  const second = await again.text();
  expect(second).not.toBe(first);
  expect(await (await create(api, 'a')).text()).toBe(second);
});

test('purge forgets the keys with the exports', async () => {
  const api = await serve();
  const first = await (await create(api, 'a')).text();
  await command(['purge', '--merchant', 'M1'], place.environment());
  expect(await (await create(api, 'a')).text()).not.toBe(first);
});
