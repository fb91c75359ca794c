import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { uninstall } from '../../src/access/installs.ts';
import { LOCKS } from '../../src/database/locks.ts';
import { countOpen } from '../../src/exports/sql.ts';
import { Api } from './api.ts';
import { FROM, makePlace, type Place, TO } from './place.ts';
import { endChildren, startChild } from './process.ts';
import { serveHere } from './service.ts';
import { until } from './until.ts';

let place: Place;

beforeEach(async () => {
  place = await makePlace();
});

afterEach(async () => {
  await endChildren();
  await place.remove();
});

interface Tally {
  accepted: number;
  refused: { retryAfter: string | null; message: string; details: string }[];
  other: number[];
}

/** Sends all requests at once. */
async function race(apis: readonly Api[], requests: number): Promise<Tally> {
  const tally: Tally = { accepted: 0, refused: [], other: [] };
  await Promise.all(
    Array.from({ length: requests }, async (_, i) => {
      const response = await apis[i % apis.length]?.post(FROM, TO);
      const body = (await response?.json()) as { message: string; details: string };
      if (response?.status === 200) tally.accepted++;
      else if (response?.status === 503)
        tally.refused.push({ ...body, retryAfter: response.headers.get('retry-after') });
      else tally.other.push(response?.status ?? 0);
    }),
  );
  return tally;
}

async function openExports(): Promise<{ merchant: string; open: number }[]> {
  const { rows } = await place.pool.query<{ merchant: string; open: number }>(
    `SELECT merchant_id AS merchant, count(*)::int AS open FROM tillroll.exports
     WHERE status = 'PENDING' GROUP BY 1 ORDER BY 1`,
  );
  return rows;
}

describe('while no worker runs', () => {
  test.for([1, 2])(
    '200 simultaneous requests over %i processes: exactly 5 are accepted',
    async (processes) => {
      const token = await place.install('M1');
      const environment = place.environment({ TILLROLL_MAX_OPEN_EXPORTS: '5' });
      const services = await Promise.all(
        Array.from({ length: processes }, () => startChild('serve', environment)),
      );

      const { accepted, refused, other } = await race(
        services.map(({ url }) => new Api(url, 'M1', token)),
        200,
      );

      expect({ accepted, refused: refused.length, other }).toEqual({
        accepted: 5,
        refused: 195,
        other: [],
      });
      expect(await openExports()).toEqual([{ merchant: 'M1', open: 5 }]);
      for (const { retryAfter, message, details } of refused) {
        expect(retryAfter).toMatch(/^[0-9]+$/);
        expect(Number(retryAfter)).toBeGreaterThanOrEqual(1);
        expect(Number(retryAfter)).toBeLessThanOrEqual(60);
        expect(message).toBe('503 Service Unavailable');
        expect(details).toMatch(/limit is 5\b/);
      }
    },
  );

  test('the limit of each merchant is exact when two of them race', async () => {
    const service = await serveHere(
      place,
      { work: false },
      { TILLROLL_MAX_OPEN_EXPORTS: '1000', TILLROLL_MAX_OPEN_EXPORTS_PER_MERCHANT: '3' },
    );
    try {
      // Two apps of a merchant share its limit.
      const apis = [
        new Api(service.url, 'M1', await place.install('M1', 'app-a')),
        new Api(service.url, 'M2', await place.install('M2', 'app-a')),
        new Api(service.url, 'M1', await place.install('M1', 'app-b')),
        new Api(service.url, 'M2', await place.install('M2', 'app-b')),
      ];
      const { accepted, refused, other } = await race(apis, 80);

      expect({ accepted, refused: refused.length, other }).toEqual({
        accepted: 6,
        refused: 74,
        other: [],
      });
      expect(await openExports()).toEqual([
        { merchant: 'M1', open: 3 },
        { merchant: 'M2', open: 3 },
      ]);
      expect(new Set(refused.map(({ details }) => /limit is (.*?) \(/.exec(details)?.[1]))).toEqual(
        new Set(['3 per merchant']),
      );
    } finally {
      await service.stop();
    }
  });

  test('a limit frees its place when an export ends', async () => {
    const service = await serveHere(place, { work: false }, { TILLROLL_MAX_OPEN_EXPORTS: '1' });
    try {
      const api = new Api(service.url, 'M1', await place.install('M1'));
      const { id } = await api.create(FROM, TO);
      expect((await api.post(FROM, TO)).status).toBe(503);
      const worker = await serveHere(place, { serve: false });
      await api.ended(id);
      await worker.stop();
      expect((await api.post(FROM, TO)).status).toBe(200);
      expect((await api.post(FROM, TO)).status).toBe(503);
    } finally {
      await service.stop();
    }
  });
});

/** The limit that each refusal names. */
function listLimits({ refused }: Tally): Set<string | undefined> {
  return new Set(refused.map(({ details }) => /limit is (.*?) \(/.exec(details)?.[1]));
}

describe('shares of the apps', () => {
  const LIMITS = { TILLROLL_MAX_OPEN_EXPORTS: '9' };

  async function connectApis(
    urls: readonly string[],
    app: string,
    merchants: number,
  ): Promise<Api[]> {
    const apis: Api[] = [];
    for (let i = 0; i < merchants; i++) {
      const token = await place.install(`M${i}`, app);
      for (const url of urls) apis.push(new Api(url, `M${i}`, token));
    }
    return apis;
  }

  test('an app at five merchants, over two processes, gets exactly half; the other one the rest', async () => {
    const environment = place.environment(LIMITS);
    const services = await Promise.all([0, 1].map(() => startChild('serve', environment)));
    const urls = services.map(({ url }) => url);
    const greedy = await connectApis(urls, 'greedy', 5);
    const modest = await connectApis(urls, 'modest', 1);

    const first = await race(greedy, 60);
    expect({ ...first, refused: first.refused.length }).toEqual({
      accepted: 5,
      refused: 55,
      other: [],
    });
    expect(listLimits(first)).toEqual(new Set(['5 per app over all merchants']));

    const second = await race(modest, 20);
    expect({ ...second, refused: second.refused.length }).toEqual({
      accepted: 4,
      refused: 16,
      other: [],
    });
    expect(listLimits(second)).toEqual(new Set(['9 over all merchants']));
  });

  test('an app that is installed alone may have all, also once the others are gone', async () => {
    const service = await serveHere(place, { work: false }, LIMITS);
    try {
      const apis = await connectApis([service.url], 'greedy', 3);
      await place.install('M9', 'other');
      expect((await race(apis, 20)).accepted).toBe(5);
      await uninstall(place.pool, 'M9', null);
      const tally = await race(apis, 20);
      expect(tally.accepted).toBe(4);
      expect(listLimits(tally)).toEqual(new Set(['9 over all merchants']));
    } finally {
      await service.stop();
    }
  });

  test('the setting is the share', async () => {
    const limits = { ...LIMITS, TILLROLL_MAX_OPEN_EXPORTS_PER_APP: '2' };
    const service = await serveHere(place, { work: false }, limits);
    try {
      const tally = await race(await connectApis([service.url], 'greedy', 3), 20);
      expect(tally.accepted).toBe(2);
      expect(listLimits(tally)).toEqual(new Set(['2 per app over all merchants']));
    } finally {
      await service.stop();
    }
  });
});

test('creates that wait for each other leave polls their connections', async () => {
  const service = await serveHere(place, { work: false });
  const holder = await place.pool.connect();
  try {
    const api = new Api(service.url, 'M1', await place.install('M1'));
    const { id } = await api.create(FROM, TO);
    await holder.query('SELECT pg_advisory_lock($1)', [LOCKS.CREATE_EXPORT]);
    let answered = 0;
    const creates = Array.from({ length: 40 }, async () => {
      const { status } = await api.post(FROM, TO);
      answered++;
      return status;
    });
    await until('creates wait for the lock', async () => {
      const { rows } = await place.pool.query<{ waiting: number }>(
        `SELECT count(*)::int AS waiting FROM pg_locks WHERE locktype = 'advisory' AND NOT granted`,
      );
      return rows[0]?.waiting === 2;
    });
    for (let poll = 0; poll < 20; poll++) expect((await api.read(id)).status).toBe('PENDING');
    expect(answered).toBe(0);
    await holder.query('SELECT pg_advisory_unlock_all()');
    expect(new Set(await Promise.all(creates))).toEqual(new Set([200]));
  } finally {
    holder.release(true);
    await service.stop();
  }
});

test('a lock that is held for too long is 503 with Retry-After, not a wait without end', async () => {
  const service = await serveHere(place, { work: false });
  const holder = await place.pool.connect();
  try {
    const api = new Api(service.url, 'M1', await place.install('M1'));
    await holder.query('SELECT pg_advisory_lock($1)', [LOCKS.CREATE_EXPORT]);
    const response = await api.post(FROM, TO);
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toMatch(/^[0-9]+$/);
  } finally {
    holder.release(true);
    await service.stop();
  }
});

test('what a create counts is read from indexes alone, however many exports and installs there are', async () => {
  await place.pool.query(`
    INSERT INTO tillroll.exports (id, merchant_id, app_id, type, status, start_time, end_time,
                                  created_time, modified_time, job_id)
    SELECT 'E' || n, 'M' || n % 100, 'app', 'ORDERS', CASE WHEN n % 2000 = 0 THEN 'PENDING' ELSE 'DONE' END,
           0, 1, n, n, gen_random_uuid() FROM generate_series(1, 20000) n`);
  await place.pool.query(`
    INSERT INTO tillroll.installs (id, merchant_id, app_id, permissions, secret_hash, created_time)
    SELECT 'I' || n, 'M' || n, 'app', '{}', '', n FROM generate_series(1, 20000) n`);
  await place.pool.query('ANALYZE tillroll.exports, tillroll.installs');
  const { rows } = await place.pool.query<{ 'QUERY PLAN': string }>(
    `EXPLAIN ${countOpen.replaceAll('$1', "'M1'").replaceAll('$2', "'app'")}`,
  );
  const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
  expect(plan).toContain('exports_open');
  expect(plan).toContain('installs_active');
  expect(plan).not.toContain('Seq Scan');
});
