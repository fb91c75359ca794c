/** Many processes on a new database, and programs beside a schema that is newer than they are. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import pg from 'pg';
import { LOCKS } from '../../src/database/locks.ts';
import { SCHEMA_VERSION } from '../../src/database/migrations.ts';
import { makePlace, type Place } from './place.ts';
import { command, endChildren, startChild, type Child } from './process.ts';
import { until } from './until.ts';

let place: Place;
beforeEach(async () => {
  place = await makePlace();
});
afterEach(async () => {
  await endChildren();
  await place.remove();
});

const NEWER = SCHEMA_VERSION + 1;

/** Writes what a migration of the next version writes. @param lowest the lowest version that can run on it. */
async function upgradeSchema(lowest: number): Promise<void> {
  await place.pool.query(
    `INSERT INTO tillroll.schema_version (version) VALUES (${NEWER});
     UPDATE tillroll.schema_compatibility SET lowest_version = ${lowest}`,
  );
}

async function readReady({ url }: Child): Promise<number> {
  return (await fetch(`${url}/ready`)).status;
}

test('six processes that start at once on a new database migrate once', async () => {
  const client = new pg.Client(place.databaseUrl);
  await client.connect();
  try {
    await client.query('DROP SCHEMA tillroll CASCADE');
    // All of them come to the migration before any of them may begin.
    await client.query('SELECT pg_advisory_lock($1)', [LOCKS.MIGRATE]);
    const countSessions = async (): Promise<number> => {
      const { rows } = await client.query<{ count: number }>(
        `SELECT count(*)::int AS count FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'tillroll'`,
      );
      return rows[0]?.count ?? 0;
    };
    const before = await countSessions();
    const roles = ['serve', 'work', 'serve', 'work', 'all', 'all'] as const;
    const starting = roles.map((role) => startChild(role, place.environment()));
    await until(
      'all of them are connected',
      async () => (await countSessions()) >= before + roles.length,
    );
    await client.query('SELECT pg_advisory_unlock($1)', [LOCKS.MIGRATE]);
    const children = await Promise.all(starting);
    for (const child of children) expect(child.log()).not.toMatch(/"level":"(warn|error)"/);

    const { rows } = await client.query<{ version: string; times: number }>(
      `SELECT version::int, count(*)::int AS times FROM tillroll.schema_version
       WHERE version > 0 GROUP BY version ORDER BY version`,
    );
    expect(rows).toEqual(
      Array.from({ length: SCHEMA_VERSION }, (_, i) => ({ version: i + 1, times: 1 })),
    );
    for (const child of children) child.kill('SIGTERM');
    for (const child of children) expect(await child.exited).toBe(0);
  } finally {
    await client.end();
  }
});

describe('a program beside a newer schema', () => {
  test('goes on, is ready and starts when the schema says so', async () => {
    const running = await startChild('serve', place.environment());
    await upgradeSchema(SCHEMA_VERSION);
    const starting = await startChild('all', place.environment());
    expect(
      starting.logged('the schema is newer than this program, which can still run on it'),
    ).toBe(2);
    await outlastTwoChecks();
    expect(await readReady(running)).toBe(200);
    expect(await readReady(starting)).toBe(200);
    expect(running.log()).not.toMatch(/"level":"(warn|error)"/);
    expect(await command(['migrate'], place.environment())).toContain('schema is up to date');
  });

  test('is not ready any more when the schema says otherwise; one line says why', async () => {
    const running = await startChild('serve', place.environment());
    await upgradeSchema(NEWER);
    await until('it is not ready', async () => (await readReady(running)) === 503);
    await outlastTwoChecks();
    const lines = running
      .log()
      .split('\n')
      .filter((line) => line.includes('made by a newer Tillroll'));
    expect(lines).toHaveLength(1);
  });

  test.each(['serve', 'work', 'all', 'installs'])(
    '%s refuses to start, in one line',
    async (name) => {
      await upgradeSchema(NEWER);
      const refused = command([name], place.environment({ TILLROLL_LOG_LEVEL: 'error' }));
      await expect(refused).rejects.toThrow(
        new RegExp(
          `^tillroll-server ${name}: 1: tillroll-server: the schema is at version ${NEWER}, made by a newer Tillroll; this program knows ${SCHEMA_VERSION}: upgrade it\n$`,
        ),
      );
    },
  );
});

/** The database is checked every two seconds. */
function outlastTwoChecks(): Promise<void> {
  return delay(5_000);
}
