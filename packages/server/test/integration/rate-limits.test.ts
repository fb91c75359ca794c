/** Rate limits, where the operator has them. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Service } from '../../src/service.ts';
import { Api, download, type Exported } from './api.ts';
import { FROM, makePlace, TO, type Place } from './place.ts';
import { serveHere } from './service.ts';

let place: Place;
let service: Service & { url: string };

beforeEach(async () => {
  place = await makePlace();
  await place.seed('M1', 10);
  service = await serveHere(place, {}, { TILLROLL_RATE_LIMITS: '8/100,100/100' });
});
afterEach(async () => {
  await service.stop();
  await place.remove();
});

test('too many requests of a token: 429 as the contract has it; downloads and another app do not count', async () => {
  const token = await place.install('M1');
  const api = new Api(service.url, 'M1', token);
  const { id } = await api.create(FROM, TO);
  // One request: polls would be too many.
  const done = (await (await api.fetch(`/exports/${id}?wait=60`)).json()) as Exported;
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => api.fetch(`/exports/${done.id}`)),
  );
  const refused = answers.filter(({ status }) => status === 429);
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(8);
  expect(refused).toHaveLength(12);
  for (const answer of refused) {
    expect(await answer.text()).toBe('{"message":"429 Too Many Requests"}');
    expect(answer.headers.get('x-ratelimit-tokenlimit')).toBe('8');
    expect(answer.headers.get('retry-after')).toBe('1');
  }
  for (let n = 0; n < 5; n++) expect(await download(done)).toHaveLength(1);
  expect((await fetch(`${service.url}/v3/availability`)).status).toBe(200);
  const other = new Api(service.url, 'M1', await place.install('M1', 'other'));
  expect((await other.fetch('/exports')).status).toBe(200);
  // 401 comes first, also for one who asks too often.
  const stranger = new Api(service.url, 'M1', 'no-token');
  expect((await stranger.fetch('/exports')).status).toBe(401);
});

test('a bad request above the limit is 429, and one that waits counts once', async () => {
  const api = new Api(service.url, 'M1', await place.install('M1'));
  const { id } = await api.create(FROM, TO);
  expect((await api.fetch(`/exports/${id}?wait=30`)).status).toBe(200);
  const statuses = await Promise.all(
    Array.from({ length: 12 }, async () => {
      const response = await api.fetch('/exports', { method: 'POST', body: '{}' });
      return response.status;
    }),
  );
  expect(statuses.filter((status) => status === 400).length).toBeLessThanOrEqual(8);
  expect(statuses).toContain(429);
});
