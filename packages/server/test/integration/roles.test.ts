import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeEach, describe, expect, inject, test } from 'vitest';
import pg from 'pg';
import { SCHEMA_VERSION } from '../../src/database/migrations.ts';
import { Api, download, parseIds } from './api.ts';
import { FROM, makePlace, TO, type Place } from './place.ts';
import { command, endChildren, startChild } from './process.ts';

let place: Place;
let role: string;

beforeEach(async () => {
  place = await makePlace();
  role = `r_${randomBytes(6).toString('hex')}`;
  await place.pool.query(`CREATE ROLE ${role} LOGIN PASSWORD 'secret'`);
});

afterEach(async () => {
  await endChildren();
  await place.pool.query(`DROP OWNED BY ${role}`);
  await place.pool.query(`DROP ROLE ${role}`);
  await place.remove();
});

afterAll(endChildren);

function databaseName(): string {
  return new URL(place.databaseUrl.replace('@/', '@localhost/')).pathname.slice(1);
}

/** The place's address for the test's own role. */
function addressOfRole(database = databaseName()): string {
  const { host, port } = inject('cluster');
  return `postgres://${role}:secret@/${database}?host=${encodeURIComponent(host)}&port=${port}`;
}

/** The statements of docs/operating.md, "A role with rights on data alone". */
async function grantData(): Promise<void> {
  await command(['migrate'], place.environment());
  await place.pool.query(`
    GRANT CONNECT, TEMPORARY ON DATABASE ${databaseName()} TO ${role};
    GRANT USAGE ON SCHEMA tillroll, tillroll_queue TO ${role};
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA tillroll, tillroll_queue TO ${role};
    GRANT USAGE ON ALL SEQUENCES IN SCHEMA tillroll, tillroll_queue TO ${role};
    GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA tillroll, tillroll_queue TO ${role};`);
}

/** Loads, exports and downloads through one process, and sees to it that every order comes back. */
async function loadAndExport(environment: Record<string, string>): Promise<void> {
  const service = await startChild('all', environment);
  const permissions = 'ORDERS_R,ORDERS_W';
  const token = await command(
    ['install', '--merchant', 'M1', '--app', 'app', '--permissions', permissions],
    environment,
  );
  const api = new Api(service.url, 'M1', token);
  const ids = Array.from({ length: 1500 }, (_, i) => `o${String(i).padStart(4, '0')}`);
  const body = ids.map((id, i) => JSON.stringify({ id, createdTime: FROM + i })).join('\n');
  for (const inserted of [1500, 0]) {
    const loaded = await api.fetch('/orders/bulk', { method: 'POST', body });
    expect([loaded.status, await loaded.json()]).toMatchObject([200, { inserted }]);
  }
  const done = await api.export(FROM, TO);
  expect(done.status).toBe('DONE');
  expect(parseIds(await download(done))).toEqual(ids);
  expect(await command(['purge', '--merchant', 'M1'], environment)).toBe(
    '1500 objects and 1 exports deleted',
  );
  expect(service.log()).not.toMatch(/"level":"(warn|error)"/);
  service.kill('SIGTERM');
  expect(await service.exited).toBe(0);
}

/** Defaults of a role that break whatever relies on the usual ones. */
const HOSTILE = {
  default_transaction_isolation: "'serializable'",
  default_transaction_read_only: 'on',
  default_transaction_deferrable: 'on',
  search_path: "'public', 'pg_catalog'",
  statement_timeout: "'300ms'",
  lock_timeout: "'10ms'",
  idle_in_transaction_session_timeout: "'10ms'",
  transaction_timeout: "'300ms'",
  standard_conforming_strings: 'off',
  bytea_output: "'escape'",
  datestyle: "'German'",
  intervalstyle: "'sql_standard'",
  client_encoding: "'LATIN1'",
  timezone: "'Asia/Kolkata'",
  synchronous_commit: 'off',
  array_nulls: 'off',
} as const;

describe('a role with hostile defaults', () => {
  beforeEach(async () => {
    await grantData();
    for (const [name, value] of Object.entries(HOSTILE)) {
      await place.pool.query(`ALTER ROLE ${role} SET ${name} = ${value}`);
    }
    // Found before PostgreSQL's own where the search path says so.
    await place.pool.query(`
      CREATE FUNCTION public.floor(double precision) RETURNS double precision LANGUAGE sql AS 'SELECT -1.0::float8';
      CREATE FUNCTION public.floor(numeric) RETURNS numeric LANGUAGE sql AS 'SELECT -1.0';
      GRANT USAGE ON SCHEMA public TO ${role}`);
  });

  test('loads, exports, downloads and purges as ever', async () => {
    await loadAndExport(place.environment({ DATABASE_URL: addressOfRole() }));
  });

  test('the limit of open exports stays exact', async () => {
    const environment = place.environment({
      DATABASE_URL: addressOfRole(),
      TILLROLL_MAX_OPEN_EXPORTS_PER_MERCHANT: '2',
    });
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
    const { rows } = await place.pool.query<{ open: number }>(
      `SELECT count(*)::int AS open FROM tillroll.exports WHERE status = 'PENDING'`,
    );
    expect(rows).toEqual([{ open: 2 }]);
  });
});

test('with the defaults of the whole database hostile, a new place is made and works', async () => {
  for (const [name, value] of Object.entries(HOSTILE)) {
    if (name === 'client_encoding') continue;
    await place.pool.query(`ALTER DATABASE ${databaseName()} SET ${name} = ${value}`);
  }
  const client = new pg.Client(place.databaseUrl);
  await client.connect();
  await client.query('BEGIN READ WRITE; DROP SCHEMA tillroll CASCADE; COMMIT');
  await client.end();
  await loadAndExport(place.environment());
});

describe('a role with rights on data alone', () => {
  test('loads, exports, downloads and purges', async () => {
    await grantData();
    await loadAndExport(place.environment({ DATABASE_URL: addressOfRole() }));
  });

  test('a newer schema is called that', async () => {
    await grantData();
    await place.pool.query(
      `INSERT INTO tillroll.schema_version (version) VALUES (1000);
       UPDATE tillroll.schema_compatibility SET lowest_version = 1000`,
    );
    await expect(
      command(['installs'], place.environment({ DATABASE_URL: addressOfRole() })),
    ).rejects.toThrow(/the schema is at version 1000, made by a newer Tillroll; .*: upgrade it/);
  });

  test('an older schema: who must do what', async () => {
    await grantData();
    await place.pool.query('DELETE FROM tillroll.schema_version WHERE version > 1');
    await expect(
      command(['installs'], place.environment({ DATABASE_URL: addressOfRole() })),
    ).rejects.toThrow(
      new RegExp(
        `the schema is at version 1 and this program needs ${SCHEMA_VERSION}: run "tillroll-server migrate" as a role that may create schemas`,
      ),
    );
  });
});

describe('a database that cannot hold UTF-8', () => {
  test.for(['SQL_ASCII', 'LATIN1'])('%s is refused at the start, in one line', async (encoding) => {
    const name = `e_${randomBytes(6).toString('hex')}`;
    await place.pool.query(
      `CREATE DATABASE ${name} TEMPLATE template0 ENCODING '${encoding}' LC_COLLATE 'C' LC_CTYPE 'C'`,
    );
    const { host, port, user, password } = inject('cluster');
    const address = `postgres://${user}:${password}@/${name}?host=${encodeURIComponent(host)}&port=${port}`;
    try {
      let complaint = '';
      try {
        await startChild('all', place.environment({ DATABASE_URL: address }));
      } catch (error) {
        complaint = error instanceof Error ? error.message.trim() : '';
      }
      expect(complaint).toMatch(
        new RegExp(
          `tillroll-server: the encoding of this database is ${encoding} and must be UTF8`,
        ),
      );
      expect(complaint.split('\n')).toHaveLength(1);
    } finally {
      await place.pool.query(`DROP DATABASE ${name} WITH (FORCE)`);
    }
  });
});
