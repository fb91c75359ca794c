/** Runs the service, or a command with its database; and the command `migrate`. */
import { readConfig } from '../config/config.ts';
import type { Config } from '../config/settings.ts';
import { migrate, readSchema } from '../database/migrations.ts';
import { openDatabase, type Database } from '../database/open.ts';
import { releaseStoreIdentity } from '../database/store-identity.ts';
import { giveUpFiles } from '../exports/upkeep.ts';
import { oneLine } from '../errors.ts';
import { createLogger } from '../log.ts';
import { BossQueue } from '../queue/boss-queue.ts';
import { startService, type Roles } from '../service.ts';
import { followParent, ParentGone, type Parent } from '../worker-channel.ts';
import { print } from './print.ts';

/** A mistake in how a command was called: exit code 2. */
export class UsageError extends Error {
  override name = 'UsageError';
}

/** The fault was reported already, on stdout or to the parent process: exit code 1 without a line on stderr. */
export class ReportedError extends Error {
  override name = 'ReportedError';
}

/** The worker of `all`, a child process: `work` until the parent says stop, or is gone. @throws ReportedError */
export async function runWorkerOfAll(stopping: AbortController): Promise<void> {
  if (!process.connected) throw new UsageError('--child is for the worker that `all` starts');
  const parent = followParent(stopping);
  try {
    await parent.untilBegin();
    await runService({ serve: false, work: true, isChild: true }, stopping.signal, parent);
  } catch (cause) {
    await parent.report({ kind: 'failed', reason: oneLine(cause) });
    throw new ReportedError('the worker failed', { cause });
  } finally {
    parent.leave();
  }
}

/** `all`, `serve` and `work`: run until a signal says stop. @param parent told when the worker takes jobs. */
export async function runService(
  roles: Roles,
  signal: AbortSignal,
  parent?: Parent,
): Promise<void> {
  const config = readConfig(process.env);
  const log = createLogger(config.logLevel);
  const service = await startService(config, roles, log, signal);
  const isOrphan = (): boolean => signal.reason instanceof ParentGone;
  try {
    if (service.url !== null) await print(`ready ${service.url}\n`);
    else log.info('worker ready');
    await parent?.report({ kind: 'ready' });
    await aborted(signal);
    if (isOrphan()) log.warn('the process that started this worker is gone: exports are released');
    else log.info('stopping');
  } finally {
    // An orphan gives its exports to other workers at once.
    await service.stop(isOrphan() ? 0 : undefined);
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
  return withAnySchema(signal, async (database, config) => {
    const isNew = (await readSchema(database.pool)).version === 0;
    await migrate(database.pool, signal);
    // A command in another directory than the service's would otherwise work on a database of its own,
    // and nobody would know.
    if (isNew) process.stderr.write(`tillroll-server: new database: ${database.location}\n`);
    return work(database, config);
  });
}

/** Opens the database for one command, whatever its schema, and closes it behind. */
export async function withAnySchema<T>(
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
    return await work(database, config);
  } finally {
    await database.close();
  }
}

/**
 * Makes both schemas, ours and the queue's, so that the services need no right to.
 * @param options newStore: the store is gone; the next start gives an empty one its identity.
 */
export async function migrateCommand(
  options: { newStore?: boolean },
  signal: AbortSignal,
): Promise<void> {
  await withDatabase(signal, async ({ connection, pool, location }) => {
    const queue = await BossQueue.open(connection, { works: false, onError: () => undefined });
    await queue.close(1000);
    await print(`schema is up to date: ${location}\n`);
    if (!options.newStore) return;
    await releaseStoreIdentity(pool);
    const lost = await giveUpFiles(pool);
    await print(
      `the next start gives an empty storage directory to this database; ${lost} finished export${lost === 1 ? ' has' : 's have'} no files any more\n`,
    );
  });
}
