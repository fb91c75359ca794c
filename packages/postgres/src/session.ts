import pg from 'pg';
import type { Cluster } from './cluster.ts';
import { stopPostgres } from './control.ts';

const LOCK_BOUND_MS = 5_000;

/** The advisory lock: shared by all processes that use the cluster, exclusive for the one that stops it. */
const LOCK = '1953066092, 1919904876';

/** A session that holds the shared lock: PostgreSQL stays up while it is open. */
export interface ClusterSession {
  readonly client: pg.Client;
  readonly host: string;
  readonly port: number;
}

/** Closes a session, and stops PostgreSQL when no other process holds one. Called with the start lock. */
export async function releaseSession(cluster: Cluster, client: pg.Client): Promise<void> {
  try {
    if (await isLast(client)) await stopPostgres(cluster);
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function isLast(client: pg.Client): Promise<boolean> {
  try {
    await client.query(`SELECT pg_advisory_unlock_shared(${LOCK})`);
    const { rows } = await client.query<{ last: boolean }>(
      `SELECT pg_try_advisory_lock(${LOCK}) AS last`,
    );
    return rows[0]?.last ?? false;
  } catch {
    // The session is gone, and the lock with it: another process decides about PostgreSQL.
    return false;
  }
}

/** Connects and takes the shared lock. @throws pg's errors, the signal's reason */
export async function openSession(
  cluster: Cluster,
  address: { host: string; port: number },
  signal: AbortSignal,
): Promise<ClusterSession> {
  const client = new pg.Client({
    ...address,
    user: cluster.user,
    password: cluster.password,
    database: 'postgres',
    // Not what PGSSLMODE says: the socket has no TLS.
    ssl: false,
    application_name: 'tillroll lease',
    connectionTimeoutMillis: LOCK_BOUND_MS,
    query_timeout: 2 * LOCK_BOUND_MS,
  });
  // A lost connection must not end the process. The pools report it.
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query(`SET lock_timeout = ${LOCK_BOUND_MS}`);
    await client.query(`SELECT pg_advisory_lock_shared(${LOCK})`);
    signal.throwIfAborted();
    return { client, ...address };
  } catch (error) {
    await client.end().catch(() => undefined);
    throw error;
  }
}
