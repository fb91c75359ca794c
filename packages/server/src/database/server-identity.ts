/** Tells servers and their copies apart, and how far a standby has replayed. */
import type { Queryable } from './pool.ts';

/** The server and the database that a session leads to. */
export interface ServerIdentity {
  /** Equal on a primary and on whatever was copied from it. */
  system: string;
  /** The database's OID, which its copies have, too. */
  database: string;
  inRecovery: boolean;
  /** The server's start, microseconds since 1970: no copy of it has the same. */
  started: string;
}

/**
 * Reads what tells a server from others, of a pool or of a snapshot.
 * @throws PostgreSQL's error when the role may not call pg_control_system (42501).
 */
export async function readServerIdentity(database: Queryable): Promise<ServerIdentity> {
  const { rows } = await database.query<ServerIdentity>(
    `SELECT (pg_catalog.pg_control_system()).system_identifier::text AS system,
       (SELECT d.oid::text FROM pg_catalog.pg_database d
        WHERE d.datname = pg_catalog.current_database()) AS database,
       pg_catalog.pg_is_in_recovery() AS "inRecovery",
       (extract(epoch FROM pg_catalog.pg_postmaster_start_time()) * 1000000)::bigint::text AS started`,
  );
  const [identity] = rows;
  if (!identity) throw new Error('the database said nothing of itself');
  return identity;
}

/** Tells whether a standby has replayed the write-ahead log up to a position. */
export async function hasReplayed(standby: Queryable, position: string): Promise<boolean> {
  const { rows } = await standby.query<{ replayed: boolean }>(
    `SELECT pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_last_wal_replay_lsn(), $1::pg_lsn) >= 0 AS replayed`,
    [position],
  );
  return rows[0]?.replayed ?? false;
}
