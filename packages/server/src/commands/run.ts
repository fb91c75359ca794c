import { readConfig, type Config } from '../config.ts';
import { migrate } from '../database/migrations.ts';
import { openDatabase, type Database } from '../database/open.ts';
import { createLogger } from '../log.ts';
import { BossQueue } from '../queue/boss-queue.ts';
import { startService, type Roles } from '../service.ts';

/** A mistake in how a command was called: exit code 2. */
export class UsageError extends Error {
  override name = 'UsageError';
}

/** `all`, `serve` and `work`: run until a signal says stop. */
export async function runService(roles: Roles, signal: AbortSignal): Promise<void> {
  const config = readConfig(process.env);
  const log = createLogger(config.logLevel);
  const service = await startService(config, roles, log, signal);
  try {
    if (service.url !== null) process.stdout.write(`ready ${service.url}\n`);
    else log.info('worker ready');
    await aborted(signal);
    log.info('stopping');
  } finally {
    await service.stop();
    log.info('stopped');
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
    // A worker whose connections are all idle must still stay.
    const alive = setInterval(() => undefined, 60_000);
    signal.addEventListener('abort', () => clearInterval(alive), { once: true });
  });
}

/** The longest statement of a command: a big merchant is purged, or loaded, in one. */
const COMMAND_STATEMENT_MS = 60 * 60_000;

/** Opens the database with an up-to-date schema for one command, and closes it behind. */
export async function withDatabase<T>(
  signal: AbortSignal,
  work: (database: Database, config: Config) => Promise<T>,
): Promise<T> {
  const config = readConfig(process.env);
  const database = await openDatabase({
    databaseUrl: config.databaseUrl,
    dataDir: config.dataDir,
    poolSize: 4,
    statementMs: COMMAND_STATEMENT_MS,
    lockMs: COMMAND_STATEMENT_MS,
    // The statement under way reports the same fault.
    onError: () => undefined,
    signal,
  });
  try {
    await migrate(database.pool);
    return await work(database, config);
  } finally {
    await database.close();
  }
}

/** Makes both schemas, ours and the queue's, so that the services need no right to. */
export async function migrateCommand(signal: AbortSignal): Promise<void> {
  const place = await withDatabase(signal, async (database) => {
    const queue = await BossQueue.open(database.connection, {
      works: false,
      onError: () => undefined,
    });
    await queue.close(1000);
    return database.place;
  });
  process.stdout.write(`schema is up to date: ${place}\n`);
}
