/** Reads the state of the service, for `status`. */
import { openDatabase, type Database } from '../database/open.ts';
import { readSchema, schemaFault } from '../database/migrations.ts';
import { isAlive, listProcesses, type ProcessRecord } from '../database/processes.ts';
import { openSourceDatabase } from '../database/source-database.ts';
import { readStoreIdentity } from '../database/store-identity.ts';
import type { Config } from '../config/settings.ts';
import { oneLine } from '../errors.ts';
import {
  countOpenExports,
  listFailedExports,
  listOpenExports,
  listRunningExports,
  type ExportOverview,
  type OpenCounts,
} from '../exports/operator.ts';
import { findQueueDepth, type QueueDepth } from '../queue/depth.ts';
import { checkSource } from '../source/check.ts';
import { openStorage } from '../storage/open.ts';
import { StoreCheck } from '../store.ts';

/** Nobody wants to wait for a status: a statement, and a wait for a connection. */
const STATEMENT_MS = 15_000;
const CONNECT_MS = 5_000;

const MAX_OPEN_SHOWN = 20;
const MAX_FAILURES_SHOWN = 5;

export interface DatabaseStatus {
  /** Null when it cannot be opened. */
  location: string | null;
  /** Version of PostgreSQL; null when it cannot be reached. */
  version: string | null;
  schemaVersion: number | null;
  /** The reason why it cannot be used, or null. */
  fault: string | null;
}

export interface StorageStatus {
  location: string;
  /** The reason why files cannot be written, or null. */
  fault: string | null;
  /** Null where the store does not say so. */
  freeBytes: number | null;
}

/** Another database that exports are read from. */
export interface SourceStatus {
  location: string;
  /** The reason why it cannot be read, or null. */
  fault: string | null;
}

export interface ProcessStatus extends ProcessRecord {
  isAlive: boolean;
  /** Ids of the exports that it runs. */
  exports: string[];
}

/** The state of the service, known when the database can be used. */
export interface Activity {
  /** PostgreSQL's clock, epoch milliseconds. */
  now: number;
  /** Null when nothing was ever queued. */
  queue: QueueDepth | null;
  processes: ProcessStatus[];
  counts: OpenCounts;
  open: ExportOverview[];
  failures: ExportOverview[];
}

export interface Status {
  database: DatabaseStatus;
  /** Null when exports are read from the same database. */
  source: SourceStatus | null;
  /** Null when the database cannot be used: it knows which store is its own. */
  storage: StorageStatus | null;
  activity: Activity | null;
}

/**
 * Reads the state of the service. Changes nothing, and brings no schema up to date.
 * @throws the signal's reason; any other error is part of the state.
 */
export async function readStatus(config: Config, signal: AbortSignal): Promise<Status> {
  const database: DatabaseStatus = {
    location: null,
    version: null,
    schemaVersion: null,
    fault: null,
  };
  const status: Status = { database, source: null, storage: null, activity: null };
  let opened: Database | null = null;
  try {
    opened = await openDatabase({
      databaseUrl: config.databaseUrl,
      dataDir: config.dataDir,
      poolSize: 2,
      waitMs: CONNECT_MS,
      statementMs: STATEMENT_MS,
      onError: () => undefined,
      signal,
    });
    const { pool, location } = opened;
    database.location = location;
    const { rows } = await pool.query<{ version: string }>(
      `SELECT current_setting('server_version') AS version`,
    );
    database.version = rows[0]?.version ?? null;
    database.schemaVersion = (await readSchema(pool)).version;
    database.fault = await schemaFault(pool);
    if (database.fault !== null) return status;
    status.activity = await readActivity(opened);
    status.source = await readSource(config, opened);
    status.storage = await readStorage(config, opened);
  } catch (error) {
    signal.throwIfAborted();
    database.fault = oneLine(error);
  } finally {
    await opened?.close();
  }
  return status;
}

async function readActivity({ pool }: Database): Promise<Activity> {
  const records = await listProcesses(pool);
  const running = await listRunningExports(pool);
  const processes = records.map((record) => {
    const name = `${record.host}/${record.pid}/`;
    const own = running.filter(({ worker }) => worker.startsWith(name));
    return { ...record, isAlive: isAlive(record), exports: own.map(({ id }) => id) };
  });
  const { rows } = await pool.query<{ now: number }>('SELECT tillroll.now_ms() AS now');
  return {
    now: rows[0]?.now ?? Number.NaN,
    queue: await findQueueDepth(pool),
    processes,
    counts: await countOpenExports(pool),
    open: await listOpenExports(pool, MAX_OPEN_SHOWN),
    failures: await listFailedExports(pool, MAX_FAILURES_SHOWN),
  };
}

async function readSource(
  { sourceDatabaseUrl }: Config,
  { connection }: Database,
): Promise<SourceStatus | null> {
  if (sourceDatabaseUrl === null) return null;
  const source = openSourceDatabase(sourceDatabaseUrl, connection, 1, () => undefined);
  const { location } = source;
  try {
    await checkSource(source);
    return { location, fault: null };
  } catch (error) {
    return { location, fault: oneLine(error) };
  } finally {
    await source.pool.end();
  }
}

/** Checks the store as the service does, from here: with these settings, on this machine. */
async function readStorage(config: Config, { pool }: Database): Promise<StorageStatus> {
  const { storage } = await openStorage(config.storage);
  const status: StorageStatus = { location: storage.location, fault: null, freeBytes: null };
  const known = await readStoreIdentity(pool);
  if (!known?.bound) {
    status.fault = 'no store yet: the first start of a service makes it';
    return status;
  }
  try {
    const store = new StoreCheck(storage, known.id, config.minFreeBytes);
    await store.check();
    status.freeBytes = await storage.readFreeBytes();
    await store.checkRoom();
  } catch (error) {
    status.fault = oneLine(error);
  }
  return status;
}
