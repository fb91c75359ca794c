import { openEmbeddedPostgres } from './embedded/index.ts';
import { createPool, type Connection, type Pool } from './pool.ts';

/** The database of this process, the platform's or our own. */
export interface Database {
  readonly connection: Connection;
  readonly pool: Pool;
  /** Where it is, for people; never with a password. */
  readonly place: string;
  close(): Promise<void>;
}

export interface DatabaseSettings {
  /** Null: start, or join, an own PostgreSQL in `dataDir`. */
  databaseUrl: string | null;
  dataDir: string;
  /** Connections at once. */
  poolSize: number;
  onError: (error: Error) => void;
  signal: AbortSignal;
}

/** Opens the database; nothing is migrated yet. */
export async function openDatabase(settings: DatabaseSettings): Promise<Database> {
  const { databaseUrl, dataDir, poolSize, onError, signal } = settings;
  if (databaseUrl !== null) {
    const connection = { connectionString: databaseUrl };
    const pool = createPool(connection, poolSize, onError);
    const url = new URL(databaseUrl);
    const place = `PostgreSQL at ${url.searchParams.get('host') ?? url.host}`;
    return { connection, pool, place, close: () => pool.end() };
  }
  const embedded = await openEmbeddedPostgres({ dataDir, signal });
  const pool = createPool(embedded.connection, poolSize, onError);
  return {
    connection: embedded.connection,
    pool,
    place: embedded.notice ?? `own PostgreSQL in ${embedded.home}`,
    async close() {
      await pool.end();
      await embedded[Symbol.asyncDispose]();
    },
  };
}
