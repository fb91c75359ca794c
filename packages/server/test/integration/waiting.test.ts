/** Requests that wait for an export, and exports that are deleted while they run. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { toConnection } from '../../src/database/pool.ts';
import { ExportWatch, WATCH_LIMITS } from '../../src/exports/watch.ts';
import { heedChanges } from '../../src/start/changes.ts';
import type { Service } from '../../src/service.ts';
import { Api } from './api.ts';
import { createAndReachHalf, holdHalfWay, type HeldSource } from './held-source.ts';
import { FROM, makePlace, TO, type Place } from './place.ts';
import { serveHere } from './service.ts';
import { until } from './until.ts';

let place: Place;
let source: HeldSource;
let service: Service & { url: string };
let api: Api;

beforeEach(async () => {
  place = await makePlace();
  await place.seed('M1', 6000);
  source = await holdHalfWay(place);
  service = await serveHere(place, {});
  api = new Api(service.url, 'M1', await place.install('M1'));
});
afterEach(async () => {
  await source.release();
  await service.stop();
  await place.remove();
});

function wait(exportId: string, seconds: number, headers = {}): Promise<Response> {
  return api.fetch(`/exports/${exportId}?wait=${seconds}`, { headers });
}

describe('a request that waits', () => {
  test('is answered when the export ends; others of the install beyond 50 are answered at once', async () => {
    const id = await createAndReachHalf(place, api);
    let answered = 0;
    const waiting = Array.from({ length: 60 }, async () => {
      const response = await wait(id, 60);
      answered++;
      return ((await response.json()) as { status: string }).status;
    });
    await until('ten are answered', () => answered === 10);
    await source.release();
    const statuses = await Promise.all(waiting);
    expect(statuses.filter((status) => status === 'IN_PROGRESS')).toHaveLength(10);
    expect(statuses.filter((status) => status === 'DONE')).toHaveLength(50);
  });

  test('is answered at once when the service stops', async () => {
    const id = await createAndReachHalf(place, api);
    const waiting = wait(id, 60);
    await until('it waits', async () => (await readTag(id)) !== null);
    const began = performance.now();
    const stopping = service.stop();
    expect((await waiting).status).toBe(200);
    expect(performance.now() - began).toBeLessThan(5_000);
    await stopping;
  });

  test('of which the install is revoked meanwhile is 401', async () => {
    const id = await createAndReachHalf(place, api);
    const waiting = wait(id, 60);
    await place.pool.query('UPDATE tillroll.installs SET revoked_time = 1');
    await source.release();
    expect((await waiting).status).toBe(401);
  });
});

async function readTag(id: string): Promise<string | null> {
  return (await api.fetch(`/exports/${id}`)).headers.get('etag');
}

describe('the watch', () => {
  async function watching(
    hears: boolean,
    run: (watch: ExportWatch) => Promise<void>,
  ): Promise<void> {
    const watch = new ExportWatch(place.pool, WATCH_LIMITS, () => undefined);
    const connection = toConnection({ connectionString: place.databaseUrl });
    const stop = hears ? await heedChanges(connection, place.pool, watch) : () => undefined;
    try {
      await run(watch);
    } finally {
      watch.close();
      await stop();
    }
  }

  test.each([
    ['by notification', true, 900],
    ['by its clock, where no notification comes', false, 3_000],
  ])('hears of a change %s', async (_name, hears, withinMs) => {
    const id = await createAndReachHalf(place, api);
    await watching(hears, async (watch) => {
      const waiting = watch.wait(id, 'key', 60_000, ({ status }) => status === 'CANCELED');
      await until('it waits', () => watch.waiting === 1);
      // Right after a tick of its clock, at the worst.
      const began = performance.now();
      await place.pool.query(
        `UPDATE tillroll.exports SET status = 'CANCELED', modified_time = tillroll.now_ms() WHERE id = $1`,
        [id],
      );
      await waiting;
      expect(performance.now() - began).toBeLessThan(withinMs);
      expect(watch.waiting).toBe(0);
    });
  });

  test('lets go of who leaves, and of an export that is forgotten', async () => {
    const id = await createAndReachHalf(place, api);
    await watching(true, async (watch) => {
      const gone = new AbortController();
      const left = watch.wait(id, 'key', 60_000, () => false, gone.signal);
      expect(watch.waiting).toBe(1);
      gone.abort();
      await left;
      expect(watch.waiting).toBe(0);
      await watch.wait('0000000000000', 'key', 60_000, () => false);
      expect(watch.waiting).toBe(0);
    });
  });

  test('has room for 2,000, and 50 of a key', async () => {
    const id = await createAndReachHalf(place, api);
    await watching(false, async (watch) => {
      const waits: Promise<void>[] = [];
      for (let key = 0; key < 41; key++)
        for (let n = 0; n < 55; n++) waits.push(watch.wait(id, `${key}`, 60_000, () => false));
      expect(watch.waiting).toBe(2_000);
      watch.close();
      await Promise.all(waits);
      expect(watch.waiting).toBe(0);
    });
  });
});

test('an export that runs is deleted: CANCELED at once, its statement ends and its files go', async () => {
  const id = await createAndReachHalf(place, api);
  const response = await api.fetch(`/exports/${id}`, { method: 'DELETE' });
  expect(await response.json()).toMatchObject({ id, status: 'CANCELED' });
  await until('the files are gone', async () => (await place.files()).length === 0);
  await until('no COPY runs', async () => {
    const { rows } = await place.pool.query(
      "SELECT FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'COPY%' AND state = 'active'",
    );
    return rows.length === 0;
  });
  await source.release();
  // The worker is free for the next one.
  expect((await api.export(FROM, TO)).status).toBe('DONE');
});
