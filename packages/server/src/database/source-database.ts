import { describeConnection, parseDatabaseUrl, type Connection } from './connection.ts';
import { createPool, type Pool } from './pool.ts';

/** The database that exports are read from. */
export interface SourceDatabase {
  readonly connection: Connection;
  readonly pool: Pool;
  /** True when it has an address of its own. */
  readonly isSeparate: boolean;
  /** Its address for people, never with a password. */
  readonly location: string;
}

/**
 * Makes a pool of connections for exports, which a standby may give. It does not connect yet: an export whose source
 * is away is tried again later.
 * @param sourceDatabaseUrl null: the same database as `main`.
 * @param exports how many may run at once.
 */
export function openSourceDatabase(
  sourceDatabaseUrl: string | null,
  main: Connection,
  exports: number,
  onError: (error: Error) => void,
): SourceDatabase {
  const isSeparate = sourceDatabaseUrl !== null;
  const connection = isSeparate ? parseDatabaseUrl(sourceDatabaseUrl, process.env) : main;
  // Two more: to end statements of attempts that are over, and for checks.
  const pool = createPool(connection, exports + 2, onError, { readOnly: true });
  return { connection, pool, isSeparate, location: describeConnection(connection) };
}
