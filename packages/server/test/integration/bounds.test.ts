/** Bounds on what the server does for a client that gave up, or fell silent. */
import { expect, test } from 'vitest';
import pg from 'pg';
import { createPool } from '../../src/database/pool.ts';
import { IDLE_MS } from '../../src/database/session.ts';
import { inTransaction } from '../../src/database/transaction.ts';
import { makePlace } from './place.ts';
import { gate, until } from './until.ts';

test('a statement that was given up does not stay on the server, waiting for its lock', async () => {
  const place = await makePlace();
  const holder = new pg.Client(place.databaseUrl);
  await holder.connect();
  const pool = createPool({ connectionString: place.databaseUrl }, 1, () => undefined, {
    statementMs: 500,
    applicationName: 'gives up',
  });
  const countSessions = async (): Promise<number> => {
    // Not the holder: in a transaction PostgreSQL shows the sessions of its first look.
    const { rows } = await place.pool.query<{ count: number }>(
      `SELECT count(*)::int AS count FROM pg_stat_activity WHERE application_name = 'gives up'`,
    );
    return rows[0]?.count ?? 0;
  };
  try {
    await holder.query('BEGIN; LOCK TABLE tillroll.exports IN ACCESS EXCLUSIVE MODE');
    const answer = pool
      .query('SELECT count(*) FROM tillroll.exports')
      .catch((error: Error) => error);
    await until('it waits', async () => (await countSessions()) === 1);
    expect(await answer).toMatchObject({ message: expect.stringMatching(/timeout/) });
    await until('it is gone', async () => (await countSessions()) === 0, { timeoutMs: 3_000 });
  } finally {
    await pool.end();
    await holder.end();
    await place.remove();
  }
});

test('a worker that is stopped in mid-transaction holds its locks for four seconds at most', async () => {
  const place = await makePlace();
  const options = { statementMs: 60_000, lockMs: 60_000, idleMs: IDLE_MS };
  const connect = () =>
    createPool({ connectionString: place.databaseUrl }, 1, () => undefined, options);
  const [stopped, next] = [connect(), connect()];
  const lock = 'LOCK TABLE tillroll.exports IN ACCESS EXCLUSIVE MODE';
  const isOver = gate();
  try {
    const held = gate();
    // Nothing is heard of it any more, as of a process that got SIGSTOP.
    const silent = inTransaction(stopped, async (client) => {
      await client.query(lock);
      held.open();
      await isOver.opened;
      throw new Error('over');
    }).catch((error: Error) => error.message);
    await held.opened;
    const began = performance.now();
    await inTransaction(next, (client) => client.query(lock));
    expect(performance.now() - began).toBeLessThan(IDLE_MS + 6_000);
    isOver.open();
    await silent;
  } finally {
    isOver.open();
    await stopped.end();
    await next.end();
    await place.remove();
  }
});
