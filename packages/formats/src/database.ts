/** Opens a DuckDB in memory, with bounds on its memory and threads. */
import { totalmem } from 'node:os';
import type { DuckDBConnection } from '@duckdb/node-api';
import { ExportError } from '@tillroll/client';

/** Data that does not fit goes to the temporary directory, except texts of one table's row group. */
const LEAST_MEMORY = 2 * 1024 ** 3;
const MAX_THREADS = 8;

export interface Database {
  run(sql: string): Promise<void>;
  /** The single number that a query gives. */
  count(sql: string): Promise<number>;
  close(): Promise<void>;
  /** A directory of this conversion alone. */
  folder: string;
  threads: number;
}

/** The package, which is not installed with the client. @throws ExportError MISSING_PACKAGE */
export async function loadDuckdb(): Promise<typeof import('@duckdb/node-api')> {
  try {
    return await import('@duckdb/node-api');
  } catch (cause) {
    throw new ExportError(
      'MISSING_PACKAGE',
      'Parquet and DuckDB need the package @duckdb/node-api',
      {
        hint: 'Run npm install @duckdb/node-api, with --global where this was installed so',
        cause,
      },
    );
  }
}

/** Half of what the machine, or its container, has. */
function memory(): number {
  return Math.max(LEAST_MEMORY, Math.min(totalmem(), process.constrainedMemory()) / 2);
}

/** An empty database in memory, which never asks the network for an extension. */
async function openDatabase(folder: string, signal: AbortSignal): Promise<Database> {
  const { DuckDBInstance } = await loadDuckdb();
  const instance = await DuckDBInstance.create(':memory:', {
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    memory_limit: `${Math.floor(memory() / 1024 ** 2)}MiB`,
    temp_directory: folder,
  });
  const connection = await instance.connect();
  const interrupt = () => connection.interrupt();
  signal.addEventListener('abort', interrupt);
  const threads = Math.min(await one(connection, `SELECT current_setting('threads')`), MAX_THREADS);
  await connection.run(`SET threads = ${threads}`);
  return {
    folder,
    threads,
    async run(sql) {
      signal.throwIfAborted();
      await connection.run(sql);
    },
    count: (sql) => one(connection, sql),
    async close() {
      signal.removeEventListener('abort', interrupt);
      connection.closeSync();
      instance.closeSync();
    },
  };
}

async function one(connection: DuckDBConnection, sql: string): Promise<number> {
  const result = await connection.runAndReadAll(sql);
  return Number(result.getRows()[0]?.[0]);
}

/** Does `work` with a database that is closed afterwards. */
export async function withDatabase<T>(
  { scratch, signal }: { scratch: string; signal: AbortSignal },
  work: (database: Database) => Promise<T>,
): Promise<T> {
  const database = await openDatabase(scratch, signal);
  try {
    return await work(database);
  } finally {
    await database.close();
  }
}
