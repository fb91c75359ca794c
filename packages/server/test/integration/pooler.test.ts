import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { Api, download, parseIds } from './api.ts';
import { holdHalfWay } from './held-source.ts';
import { FROM, makePlace, TO, type Place } from './place.ts';
import { hasPooler, startPooler, type Pooler } from './pooler.ts';
import { command, endChildren, startChild, type Child } from './process.ts';
import { until } from './until.ts';

vi.setConfig({ testTimeout: 90_000 });

const WARNING = /"level":"warn".*notifications do not arrive: the database is behind a pooler/g;

/** These tests are skipped when PgBouncer is not installed, and vitest says so; .ci/run installs it. */
describe.skipIf(!hasPooler)('behind PgBouncer in transaction mode', () => {
  let pooler: Pooler;
  let place: Place;
  let environment: Record<string, string>;

  beforeAll(async () => {
    pooler = await startPooler();
  });

  afterAll(() => pooler.close());

  beforeEach(async () => {
    place = await makePlace();
    environment = place.environment({
      DATABASE_URL: pooler.through(place.databaseUrl),
      TILLROLL_MAX_OPEN_EXPORTS_PER_MERCHANT: '2',
    });
  });

  afterEach(async () => {
    await endChildren();
    await place.remove();
  });

  async function copies(): Promise<number[]> {
    const { rows } = await place.pool.query<{ pid: number }>(
      `SELECT pid FROM pg_stat_activity
       WHERE datname = current_database() AND query LIKE 'COPY%' AND state = 'active'`,
    );
    return rows.map(({ pid }) => pid);
  }

  function expectOneWarning(child: Child): void {
    expect(child.log().match(WARNING)).toHaveLength(1);
    expect(child.log().match(/"level":"(warn|error)"/g)).toHaveLength(1);
  }

  test('everything is right, with one warning, and no session keeps anything of ours', async () => {
    await place.pool.query('DROP SCHEMA tillroll CASCADE');
    const service = await startChild('all', environment);
    const permissions = 'ORDERS_R,PAYMENTS_R,ORDERS_W,PAYMENTS_W';
    const install = ['install', '--merchant', 'M1', '--app', 'a', '--permissions', permissions];
    const token = await command(install, environment);
    const [from, to] = [new Date(FROM).toISOString(), new Date(TO).toISOString()];
    const seed = ['seed', '--merchant', 'M1', '--orders', '3000', '--from', from, '--to', to];
    await command(seed, environment);
    const api = new Api(service.url, 'M1', token);
    const ids = Array.from({ length: 500 }, (_, i) => `x${String(i).padStart(3, '0')}`);
    const body = ids.map((id, i) => JSON.stringify({ id, createdTime: FROM + i })).join('\n');
    // Loads at once share the sessions of the pooler: none may find the staging table of another.
    const loads = await Promise.all(
      Array.from({ length: 6 }, async () => {
        const response = await api.fetch('/orders/bulk', { method: 'POST', body });
        return (await response.json()) as { inserted: number; unchanged: number };
      }),
    );
    expect(loads.reduce((sum, { inserted }) => sum + inserted, 0)).toBe(500);
    expect(loads.reduce((sum, { unchanged }) => sum + unchanged, 0)).toBe(2500);
    for (const type of ['ORDERS', 'PAYMENTS']) {
      const done = await api.export(FROM, TO, type);
      expect(done.status).toBe('DONE');
      const found = parseIds(await download(done));
      expect(new Set(found).size).toBe(found.length);
      if (type === 'ORDERS') expect(found).toHaveLength(3500);
    }
    // Long enough for the queue to ask its sessions whether they still listen.
    await until('the queue has been looked after', async () => {
      const { rows } = await place.pool.query<{ done: boolean }>(
        `SELECT monitor_on > now() - interval '10 s' AND created_on < now() - interval '15 s' AS done
         FROM tillroll_queue.queue WHERE name = 'run-export'`,
      );
      return rows[0]?.done;
    });
    const { rows } = await place.pool.query(
      `SELECT count(*)::int AS temporary FROM pg_class WHERE relpersistence = 't'`,
    );
    expect(rows).toEqual([{ temporary: 0 }]);
    expectOneWarning(service);
    service.kill('SIGTERM');
    expect(await service.exited).toBe(0);
  });

  test('the limit of open exports is exact, also with hostile defaults', async () => {
    const { pathname } = new URL(place.databaseUrl.replace('@/', '@localhost/'));
    for (const setting of ["isolation = 'repeatable read'", 'read_only = on']) {
      await place.pool.query(
        `ALTER DATABASE ${pathname.slice(1)} SET default_transaction_${setting}`,
      );
    }
    const services = await Promise.all([0, 1].map(() => startChild('serve', environment)));
    const token = await place.install('M1');
    const statuses = await Promise.all(
      Array.from({ length: 60 }, async (_, i) => {
        const api = new Api(services[i % 2]?.url ?? '', 'M1', token);
        return (await api.post(FROM, TO)).status;
      }),
    );
    expect(statuses.filter((status) => status === 200)).toHaveLength(2);
    expect(statuses.filter((status) => status === 503)).toHaveLength(58);
  });

  test('a canceled export ends its statement through the pooler', async () => {
    await place.seed('M1', 10);
    await place.pool.query(`
      ALTER TABLE tillroll.orders RENAME TO orders_table;
      CREATE VIEW tillroll.orders AS
        SELECT merchant_id, id, created_time, modified_time, currency, total,
               CASE WHEN pg_sleep(3600) IS NOT NULL THEN object END AS object
        FROM tillroll.orders_table`);
    const service = await startChild('all', environment);
    const api = new Api(service.url, 'M1', await place.install('M1'));
    const { id } = await api.create(FROM, TO);
    await until('it reads', async () => (await copies()).length === 1);
    await command(['exports', 'cancel', id], environment);
    await until('nothing reads', async () => (await copies()).length === 0);
    // The next one is not hit by what ended the first.
    await place.pool.query(
      'DROP VIEW tillroll.orders; ALTER TABLE tillroll.orders_table RENAME TO orders',
    );
    expect((await api.export(FROM, TO)).status).toBe('DONE');
  });

  test('a stopped worker is taken over from, and its statement is ended', async () => {
    await place.seed('M1', 12_000);
    const source = await holdHalfWay(place);
    try {
      const serve = await startChild('serve', environment);
      const api = new Api(serve.url, 'M1', await place.install('M1'));
      const first = await startChild('work', environment);
      const { id } = await api.create(FROM, TO);
      await until('files of the first half', async () => (await place.files()).length >= 3);
      const former = await copies();
      first.kill('SIGSTOP');
      await startChild('work', environment);
      const seen = await until(
        'the next statement',
        async () => {
          const running = await copies();
          return running.some((pid) => !former.includes(pid)) && running;
        },
        { timeoutMs: 40_000 },
      );
      expect(seen.filter((pid) => former.includes(pid))).toEqual([]);
      await source.release();
      const done = await api.ended(id, 40_000);
      expect(done.status).toBe('DONE');
      expect(new Set(parseIds(await download(done))).size).toBe(12_000);
    } finally {
      await source.release();
    }
  });
});

test('without a pooler there is no warning', async () => {
  const place = await makePlace();
  try {
    const service = await startChild('all', place.environment());
    await until('it works', () => service.log().includes('"database"'));
    service.kill('SIGTERM');
    expect(await service.exited).toBe(0);
    expect(service.log()).not.toMatch(/"level":"(warn|error)"/);
  } finally {
    await place.remove();
  }
});
