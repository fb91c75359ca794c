import { setTimeout as delay } from 'node:timers/promises';
import { join } from 'node:path';
import pg from 'pg';
import type { Cluster } from './cluster.ts';
import { hasCode } from './files.ts';
import { findPostmaster, startPostgres, stopPostgres } from './postmaster.ts';
import { CONNECTION } from './settings.ts';

/** Longest wait for a postmaster that another process started: after a crash it may replay 4 GB of log. */
const READY_BOUND_MS = 10 * 60_000;
const SESSION_BOUND_MS = 5_000;
const POLL_MS = 20;

/** The advisory lock: shared by all processes that use the cluster, exclusive for the one that stops it. */
const LOCK = '1953066092, 1919904876';

/**
 * Opens a session that holds the shared lock: PostgreSQL stays up while it is open. Starts PostgreSQL first when it is
 * stopped, and stops it again when that fails. Called with the start lock.
 * @throws Error saying why it does not start, or that the password is wrong; the signal's reason.
 */
export async function connectOrStart(cluster: Cluster, signal: AbortSignal): Promise<pg.Client> {
  const { home } = cluster;
  const began = performance.now();
  let hasStarted = false;
  let last: unknown;
  try {
    while (performance.now() - began < READY_BOUND_MS) {
      signal.throwIfAborted();
      try {
        return await openSession(cluster);
      } catch (error) {
        if (hasCode(error, '28P01', '28000', 'EACCES'))
          throw new Error(
            `The database in ${home} does not accept the password in postgres.json or this user: restore the file, or move both away to start empty`,
            { cause: error },
          );
        last = error;
      }
      // One that answers runs, even if its process is not seen: it may be in another container on the same volume.
      const isSilent = hasCode(last, 'ECONNREFUSED', 'ENOENT');
      if (isSilent && (await findPostmaster(cluster)) === null) {
        hasStarted = true;
        await startPostgres(cluster, signal);
      } else await delay(POLL_MS, undefined, { signal });
    }
    throw new Error(
      `PostgreSQL in ${home} did not answer within ${READY_BOUND_MS / 60_000} min (${String(last)}): see ${join(home, 'log')}`,
    );
  } catch (error) {
    if (hasStarted) await stopPostgres(cluster);
    throw error;
  }
}

/** Closes a session, and stops PostgreSQL when no other process holds one. Called with the start lock. */
export async function releaseSession(cluster: Cluster, client: pg.Client): Promise<void> {
  try {
    // A lock of the session itself is not in its way. When the session is gone, another process decides about PostgreSQL.
    const { rows } = await client
      .query<{ isLast: boolean }>(`SELECT pg_try_advisory_lock(${LOCK}) AS "isLast"`)
      .catch(() => ({ rows: [] }));
    if (rows[0]?.isLast) await stopPostgres(cluster);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Creates the database of the objects unless there is one. */
export async function ensureDatabase(client: pg.Client): Promise<void> {
  const { database } = CONNECTION;
  const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [database]);
  // template0: no session can be connected to it, which would refuse the copy.
  if (!rowCount) await client.query(`CREATE DATABASE ${database} TEMPLATE template0`);
}

async function openSession({ connection }: Cluster): Promise<pg.Client> {
  const client = new pg.Client({
    ...connection,
    database: 'postgres',
    application_name: 'tillroll lease',
    connectionTimeoutMillis: SESSION_BOUND_MS,
    query_timeout: 2 * SESSION_BOUND_MS,
  });
  // A lost connection must not end the process. The pools report it.
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query(`SELECT pg_advisory_lock_shared(${LOCK})`);
    return client;
  } catch (error) {
    await client.end().catch(() => undefined);
    throw error;
  }
}
