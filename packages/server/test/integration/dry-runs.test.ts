/** Dry runs: how many at once, for how long, and that they leave nothing behind. */
import { expect, test } from 'vitest';
import { Api } from './api.ts';
import { FROM, makePlace, TO, type Place } from './place.ts';
import { serveHere } from './service.ts';
import { until } from './until.ts';

function dryRun(api: Api): Promise<Response> {
  const body = JSON.stringify({ type: 'ORDERS', startTime: FROM, endTime: TO });
  return api.fetch('/exports?dryRun=true', { method: 'POST', body });
}

async function countRunning(place: Place): Promise<number> {
  const { rows } = await place.pool.query<{ running: number }>(
    `SELECT count(*)::int AS running FROM pg_stat_activity
     WHERE datname = current_database() AND query LIKE 'SELECT count(*) AS objects%' AND state = 'active'`,
  );
  return rows[0]?.running ?? 0;
}

test('one of an install and four of a process at once; ten seconds at most; then all is free again', async () => {
  const place = await makePlace();
  await place.seed('M1', 2500);
  const service = await serveHere(place, { work: false });
  const holder = await place.pool.connect();
  try {
    const apis = await Promise.all(
      Array.from({ length: 5 }, async () => new Api(service.url, 'M1', await place.install('M1'))),
    );
    const [first, ...others] = apis;
    const last = others.pop();
    if (!first || !last) throw new Error('there are five');
    await holder.query('BEGIN; LOCK TABLE tillroll.orders IN ACCESS EXCLUSIVE MODE');
    const began = performance.now();
    const held = [first, ...others].map(dryRun);
    await until('four count', async () => (await countRunning(place)) === 4);
    for (const api of [first, last]) {
      const refused = await dryRun(api);
      expect(refused.status).toBe(503);
      expect(refused.headers.get('retry-after')).toMatch(/^\d+$/);
    }
    for (const response of await Promise.all(held)) {
      expect(response.status).toBe(503);
      expect(response.headers.get('retry-after')).toBe('10');
    }
    expect(performance.now() - began).toBeGreaterThan(9_000);
    expect(performance.now() - began).toBeLessThan(20_000);
    expect(await countRunning(place)).toBe(0);
    await holder.query('ROLLBACK');
    for (const api of apis)
      expect(await (await dryRun(api)).json()).toMatchObject({ objects: 2500, files: 3 });
    const { rows } = await place.pool.query('SELECT FROM tillroll.exports');
    expect(rows).toHaveLength(0);
  } finally {
    holder.release(true);
    await service.stop();
    await place.remove();
  }
});
