/** Identifies the server process of a transaction, and ends it from elsewhere. */
import type { ClientBase, Pool } from './pool.ts';
import { inTransaction } from './transaction.ts';

/**
 * The server's side of one transaction. The start is that of the transaction, which no other one has:
 * a pooler gives its sessions to one client after the other.
 */
export interface Backend {
  pid: number;
  /** Microseconds since 1970. */
  started: number;
}

const STARTED = '(extract(epoch FROM xact_start) * 1000000)::bigint';

/** The snapshot of a transaction. */
export interface Snapshot {
  readonly backend: Backend;
  /** Its moment, epoch milliseconds; on a standby that of the last transaction it replayed, null before any. */
  readonly time: number | null;
}

/** The snapshot of the transaction that this client is in. Must be its first statement that reads. */
export async function readSnapshot(client: ClientBase): Promise<Snapshot> {
  const { rows } = await client.query<Backend & { time: number | null }>(
    `SELECT pid, ${STARTED} AS started,
       floor(extract(epoch FROM CASE WHEN pg_is_in_recovery() THEN pg_last_xact_replay_timestamp()
                                     ELSE statement_timestamp() END) * 1000)::bigint AS time
     FROM pg_stat_activity WHERE pid = pg_backend_pid()`,
  );
  const [row] = rows;
  if (!row) throw new Error('the server does not show this session in pg_stat_activity');
  const { pid, started, time } = row;
  return { backend: { pid, started }, time };
}

/** Longest time to wait until a terminated backend is gone. */
const GONE_MS = 5_000;

interface Terminated {
  gone: boolean | null;
  hidden: boolean;
}

/**
 * Ends a transaction, wherever its client is; a client that is stopped, or gone, cannot do so itself.
 * @returns false when it had ended already.
 * @throws PostgreSQL's error when this role may not (42501), or when the transaction does not end.
 */
export async function terminateBackend(pool: Pool, backend: Backend): Promise<boolean> {
  // A standby refuses a statement without a transaction of ours where a role defaults to SERIALIZABLE.
  const { rows } = await inTransaction(pool, (client) =>
    client.query<Terminated>(
      `SELECT CASE WHEN ${STARTED} = $2 THEN pg_terminate_backend(pid, ${GONE_MS}) END AS gone,
            query = '<insufficient privilege>' AS hidden
     FROM pg_stat_activity WHERE pid = $1`,
      [backend.pid, backend.started],
    ),
  );
  const [row] = rows;
  if (row?.hidden) throw new Error(`backend ${backend.pid} belongs to another role`);
  if (row?.gone === false) throw new Error(`backend ${backend.pid} did not end`);
  return row?.gone === true;
}
