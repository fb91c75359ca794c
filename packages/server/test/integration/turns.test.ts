import { afterEach, beforeEach, expect, test } from 'vitest';
import { Api } from './api.ts';
import { FROM, makePlace, TO, type Place } from './place.ts';
import { endChildren, startChild } from './process.ts';
import { serveHere } from './service.ts';

let place: Place;

beforeEach(async () => {
  place = await makePlace();
});

afterEach(async () => {
  await endChildren();
  await place.remove();
});

async function connectApi(url: string, merchant: string): Promise<Api> {
  await place.seed(merchant, 5);
  return new Api(url, merchant, await place.install(merchant));
}

async function createSome(api: Api, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let i = 0; i < count; i++) ids.push((await api.create(FROM, TO)).id);
  return ids;
}

async function listMerchantsByStart(): Promise<string[]> {
  const { rows } = await place.pool.query<{ merchant: string }>(
    'SELECT merchant_id AS merchant FROM tillroll.exports ORDER BY started_time',
  );
  return rows.map(({ merchant }) => merchant);
}

test('merchants take turns, whatever the number of exports that one of them created before', async () => {
  const serve = await serveHere(place, { work: false });
  try {
    const [first, second, third] = await Promise.all(
      ['M1', 'M2', 'M3'].map((merchant) => connectApi(serve.url, merchant)),
    );
    if (!first || !second || !third) throw new Error('three merchants');
    const created = [
      ...(await createSome(first, 10)).map((id) => ({ api: first, id })),
      ...(await createSome(second, 2)).map((id) => ({ api: second, id })),
      ...(await createSome(third, 1)).map((id) => ({ api: third, id })),
    ];

    await startChild('work', place.environment());
    for (const { api, id } of created) expect((await api.ended(id)).status).toBe('DONE');

    expect(await listMerchantsByStart()).toEqual([
      'M1',
      'M2',
      'M3',
      'M1',
      'M2',
      ...Array.from({ length: 8 }, () => 'M1'),
    ]);
  } finally {
    await serve.stop();
  }
});

test('a merchant that waited is not overtaken for ever by exports created later', async () => {
  const serve = await serveHere(place, { work: false });
  try {
    const [first, second] = await Promise.all(
      ['M1', 'M2'].map((merchant) => connectApi(serve.url, merchant)),
    );
    if (!first || !second) throw new Error('two merchants');
    const early = await createSome(first, 3);
    // The first one's exports have waited for two hours.
    await place.pool.query('UPDATE tillroll.exports SET turn_time = turn_time - 7200000');
    await place.pool.query(
      `UPDATE tillroll_queue.job SET priority = priority + 7200 WHERE name = 'run-export'`,
    );
    const late = await createSome(second, 1);

    await startChild('work', place.environment());
    for (const id of early) await first.ended(id);
    for (const id of late) await second.ended(id);

    expect(await listMerchantsByStart()).toEqual(['M1', 'M1', 'M1', 'M2']);
  } finally {
    await serve.stop();
  }
});
