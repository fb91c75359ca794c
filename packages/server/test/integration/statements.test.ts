import { randomBytes } from 'node:crypto';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { readSnapshot, terminateBackend, type Backend } from '../../src/database/backend.ts';
import { createPool, toConnection } from '../../src/database/pool.ts';
import { readRows } from '../../src/source/rows.ts';
import { Api, download, parseIds } from './api.ts';
import { FROM, makePlace, TO, type Place } from './place.ts';
import { command, endChildren, startChild, type Child } from './process.ts';
import { until } from './until.ts';

vi.setConfig({ testTimeout: 180_000 });

/** Machines that run other tests as well take their time. */
const PATIENT = { timeoutMs: 60_000 };

afterAll(endChildren);

/** Views that replace the orders table, whose COPY is still under way when it is to end. */
const SLOW = {
  sleeps: `SELECT 'M1'::text AS merchant_id, 'a'::text AS id, ${FROM}::bigint AS created_time,
             CASE WHEN pg_sleep(3600) IS NOT NULL THEN '{}' END AS object`,
  sorts: `SELECT 'M1'::text AS merchant_id, md5(n::text) AS id, ${FROM}::bigint AS created_time,
             '{}' AS object FROM generate_series(1, 8000000) n`,
} as const;

interface Scene {
  place: Place;
  api: Api;
  environment: Record<string, string>;
}

async function withScene(run: (scene: Scene) => Promise<void>): Promise<void> {
  const place = await makePlace();
  const environment = place.environment({ TILLROLL_WORKERS: '3' });
  const children: Child[] = [];
  try {
    const serve = await startChild('serve', environment);
    children.push(serve);
    const api = new Api(serve.url, 'M1', await place.install('M1'));
    await run({ place, api, environment });
  } finally {
    for (const child of children) child.kill('SIGKILL');
    await place.remove();
  }
}

async function useView(place: Place, query: string): Promise<void> {
  await place.pool.query(`ALTER TABLE tillroll.orders RENAME TO orders_table`);
  await place.pool.query(`CREATE VIEW tillroll.orders AS ${query}`);
}

interface Running {
  pid: number;
  waitsFor: string | null;
}

/** The COPY statements of exports that run in the place's database. */
async function copies(place: Place): Promise<Running[]> {
  const { rows } = await place.pool.query<Running>(
    `SELECT pid, wait_event AS "waitsFor" FROM pg_stat_activity
     WHERE datname = current_database() AND query LIKE 'COPY%' AND state = 'active'`,
  );
  return rows;
}

/** Creates exports and waits until all of them read: three that sleep, or one that takes a processor. */
async function createSlow({ place, api }: Scene, how: string): Promise<string[]> {
  const ids: string[] = [];
  const wanted = how === 'sleeps' ? 3 : 1;
  for (let i = 0; i < wanted; i++) ids.push((await api.create(FROM, TO)).id);
  await until('their COPYs run', async () => (await copies(place)).length === wanted, PATIENT);
  return ids;
}

describe('a statement ends with its export', () => {
  test.for(Object.entries(SLOW))('that %s: canceled', async ([how, view]) => {
    await withScene(async (scene) => {
      const { place, environment } = scene;
      await useView(place, view);
      const worker = await startChild('work', environment);
      for (const id of await createSlow(scene, how))
        await command(['exports', 'cancel', id], environment);
      await until('no COPY runs', async () => (await copies(place)).length === 0, PATIENT);
      expect(
        await place.pool.query('SELECT 1 FROM tillroll.exports WHERE status <> $1', ['CANCELED']),
      ).toMatchObject({ rowCount: 0 });
      worker.kill('SIGTERM');
      expect(await worker.exited).toBe(0);
    });
  });

  test.for(Object.entries(SLOW))('that %s: the service stops', async ([how, view]) => {
    await withScene(async (scene) => {
      const { place, environment } = scene;
      await useView(place, view);
      const worker = await startChild('work', environment);
      await createSlow(scene, how);
      worker.kill('SIGTERM');
      expect(await worker.exited).toBe(0);
      expect(await copies(place)).toEqual([]);
    });
  });

  test.for(Object.entries(SLOW))('that %s: its worker is killed', async ([how, view]) => {
    await withScene(async (scene) => {
      const { place, environment } = scene;
      await useView(place, view);
      const worker = await startChild('work', environment);
      await createSlow(scene, how);
      worker.kill('SIGKILL');
      // Nobody is left to cancel them: the server notices that their client has gone.
      await until('no COPY runs', async () => (await copies(place)).length === 0, PATIENT);
    });
  });
});

describe('the source says nothing for too long', () => {
  test.for(Object.entries(SLOW))('that %s: given up, and ended', async ([, view]) => {
    const place = await makePlace();
    try {
      await useView(place, view);
      const connection = toConnection({ connectionString: place.databaseUrl });
      const pool = createPool(connection, 1, () => undefined);
      const recorded: Backend[] = [];
      const rows = readRows(
        { connection, pool, isSeparate: false, silenceMs: 500 },
        { merchantId: 'M1', type: 'ORDERS', startTime: FROM, endTime: TO, sinceNumber: null },
        new AbortController().signal,
        (_, { backend }) => {
          recorded.push(backend);
          return Promise.resolve(null);
        },
      );
      await expect(rows.next()).rejects.toThrow('the database sent nothing for 0.5 s');
      await until('no COPY runs', async () => (await copies(place)).length === 0, PATIENT);
      const [backend] = recorded;
      if (!backend) throw new Error('no backend was recorded');
      // It has ended, and whoever holds its number now is left alone.
      expect(await terminateBackend(place.pool, backend)).toBe(false);
      await pool.end();
    } finally {
      await place.remove();
    }
  });
});

test('only the recorded transaction is ended, not the next one of the same session', async () => {
  const place = await makePlace();
  const client = await place.pool.connect();
  try {
    await client.query('BEGIN');
    const { backend } = await readSnapshot(client);
    await client.query('COMMIT; BEGIN');
    expect(await terminateBackend(place.pool, backend)).toBe(false);
    const next = (await readSnapshot(client)).backend;
    expect(next).not.toEqual(backend);
    expect(await terminateBackend(place.pool, next)).toBe(true);
    await expect(client.query('SELECT 1')).rejects.toThrow();
  } finally {
    client.release(true);
    await place.remove();
  }
});

/** Rows that fill every buffer on the way: the server waits for a reader that does not read. */
const LARGE = `SELECT 'M1'::text AS merchant_id, lpad(n::text, 6, '0') AS id,
    (${FROM} + n)::bigint AS created_time,
    '{"id":"' || lpad(n::text, 6, '0') || '","x":"' || repeat('x', 20000) || '"}' AS object
  FROM generate_series(1, 8000) n`;

/** Stops a worker in the middle of its export, with the server waiting for it. */
async function stopInMidExport(scene: Scene): Promise<{ worker: Child; id: string; pid: number }> {
  const { place, api, environment } = scene;
  await useView(place, LARGE);
  const worker = await startChild('work', environment);
  const { id } = await api.create(FROM, TO);
  await until('it writes files', async () => (await place.files()).length >= 1, PATIENT);
  worker.kill('SIGSTOP');
  const running = await until(
    'the server waits for its reader',
    async () => (await copies(place)).find(({ waitsFor }) => waitsFor === 'ClientWrite'),
    PATIENT,
  );
  return { worker, id, pid: running.pid };
}

describe('a worker that stopped reading', () => {
  test('is taken over from: its statement is ended before the next begins', async () => {
    await withScene(async (scene) => {
      const { place, api, environment } = scene;
      const { worker, id, pid } = await stopInMidExport(scene);
      const next = await startChild('work', environment);
      const seen = await until(
        'the next statement',
        async () => {
          const running = await copies(place);
          return running.some((copy) => copy.pid !== pid) && running;
        },
        PATIENT,
      );
      // The same look that shows the next one does not show the first any more.
      expect(seen.map((copy) => copy.pid)).not.toContain(pid);
      const done = await api.ended(id, 90_000);
      expect(done.status).toBe('DONE');
      expect(new Set(parseIds(await download(done))).size).toBe(8_000);
      expect(next.logged('statement of an ended attempt ended')).toBe(1);
      worker.kill('SIGCONT');
      await until('the sleeper has given up', () =>
        worker.logged('export attempt ended: superseded'),
      );
      expect(await place.row(id)).toMatchObject({ status: 'DONE', attempt: 2 });
    });
  });

  test('is canceled by the operator: its statement ends', async () => {
    await withScene(async (scene) => {
      const { place, environment } = scene;
      const { id } = await stopInMidExport(scene);
      await command(['exports', 'cancel', id], environment);
      expect(await copies(place)).toEqual([]);
    });
  });

  test('of another role, which may not be ended: the log says so, and the export ends', async () => {
    await withScene(async (scene) => {
      const { place, api, environment } = scene;
      const role = `r_${randomBytes(6).toString('hex')}`;
      await command(['migrate'], environment);
      const { pathname } = new URL(place.databaseUrl.replace('@/', '@localhost/'));
      await place.pool.query(`
        CREATE ROLE ${role} LOGIN PASSWORD 'secret';
        GRANT CONNECT ON DATABASE ${pathname.slice(1)} TO ${role};
        GRANT USAGE ON SCHEMA tillroll, tillroll_queue TO ${role};
        GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA tillroll, tillroll_queue TO ${role};`);
      try {
        const { id } = await stopInMidExport(scene);
        await place.pool.query(`GRANT SELECT ON tillroll.orders TO ${role}`);
        const address = place.databaseUrl.replace(/\/\/[^@]*@/, `//${role}:secret@`);
        const next = await startChild('work', { ...environment, DATABASE_URL: address });
        expect((await api.ended(id, 90_000)).status).toBe('DONE');
        expect(next.log()).toMatch(
          /"error":"backend [0-9]+ belongs to another role","msg":"statement of an ended attempt could not be ended/,
        );
        next.kill('SIGKILL');
        await next.exited;
      } finally {
        await place.pool.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
      }
    });
  });
});

test('after a snapshot that was too old for too long, no connection to that server is used again', async () => {
  const place = await makePlace();
  const connection = toConnection({ connectionString: place.databaseUrl });
  const pool = createPool(connection, 3, () => undefined);
  try {
    const askPid = async (): Promise<number> => {
      const { rows } = await pool.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      return rows[0]?.pid ?? 0;
    };
    const before = await Promise.all([askPid(), askPid(), askPid()]);
    const rows = readRows(
      { connection, pool, isSeparate: true, behindMs: 300 },
      { merchantId: 'M1', type: 'ORDERS', startTime: FROM, endTime: TO, sinceNumber: null },
      new AbortController().signal,
      () => Promise.resolve('the source left its primary'),
    );
    await expect(rows.next()).rejects.toThrow('the source left its primary (waited 0.3 s)');
    expect(before).not.toContain(await askPid());
  } finally {
    await pool.end();
    await place.remove();
  }
});
