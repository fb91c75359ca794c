import pg from 'pg';
import type { Cluster } from './cluster.ts';
import { stopPostmaster } from './postmaster.ts';

const LOCK_BOUND_MS = 5_000;

/** The advisory lock, shared by all who use the cluster, alone for the one who stops it. */
const LOCK = '1953066092, 1919904876';

/** A session that holds the shared lock: whoever has it may count on PostgreSQL staying up. */
export interface Joined {
  readonly client: pg.Client;
  readonly host: string;
  readonly port: number;
}

/** The last one out turns off the light; everybody else just leaves. */
export async function leave(cluster: Cluster, client: pg.Client): Promise<void> {
  try {
    if (await isLast(client)) await stopPostmaster(cluster);
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
    // The session is gone and the lock with it; whoever ended it decides about PostgreSQL.
    return false;
  }
}

/** Connects and takes the shared lock. */
export async function enter(
  cluster: Cluster,
  address: { host: string; port: number },
  signal?: AbortSignal,
): Promise<Joined> {
  const client = await connect(cluster, address);
  const abort = (): void => void client.end().catch(() => undefined);
  signal?.addEventListener('abort', abort, { once: true });
  try {
    await client.query(`SET lock_timeout = ${LOCK_BOUND_MS}`);
    await client.query(`SELECT pg_advisory_lock_shared(${LOCK})`);
    signal?.throwIfAborted();
    return { client, ...address };
  } catch (error) {
    await client.end().catch(() => undefined);
    throw error;
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}

export async function connect(
  cluster: Cluster,
  address: { host: string; port: number },
): Promise<pg.Client> {
  const client = new pg.Client({
    ...address,
    user: cluster.user,
    password: cluster.password,
    database: 'postgres',
    // Not what PGSSLMODE says: the socket has no TLS.
    ssl: false,
    application_name: 'tillroll presence',
    connectionTimeoutMillis: LOCK_BOUND_MS,
    query_timeout: 2 * LOCK_BOUND_MS,
  });
  // A lost connection must not end the process; the pools report it where it matters.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return client;
  } catch (error) {
    await client.end().catch(() => undefined);
    throw error;
  }
}
