import { hostname } from 'node:os';
import { join } from 'node:path';
import { storageDirectory, type Config } from './config.ts';
import { migrate, schemaFault } from './database/migrations.ts';
import { openDatabase, type Database } from './database/open.ts';
import { createPool, type Pool } from './database/pool.ts';
import { sharedSigningKey } from './database/signing-key.ts';
import { Deadline } from './deadline.ts';
import { oneLine } from './errors.ts';
import { retryDelayMs } from './exports/lifecycle.ts';
import { FairSemaphore } from './fair-semaphore.ts';
import type { App } from './http/app.ts';
import type { HttpContext } from './http/context.ts';
import type { Logger } from './log.ts';
import { isRefusedPort, listenOnUsablePort } from './ports.ts';
import { BossQueue } from './queue/boss-queue.ts';
import { RepeatedWarnings } from './repeats.ts';
import { DirectoryStorage } from './storage/directory.ts';
import { UrlSigner } from './storage/signature.ts';
import type { Storage } from './storage/storage.ts';
import { bindStore, StoreCheck } from './store.ts';
import { startWorker } from './worker/worker.ts';

/** How long running exports and requests may go on once the service is told to stop: all of them together. */
const GRACE_MS = 10_000;
/** How long closing itself may take after that: handing back exports, ending connections. */
const CLOSE_MS = 3_000;
/** The same for an own PostgreSQL, which writes its memory to disk when it stops. */
const CLOSE_OWN_DATABASE_MS = 30_000;
/** Uploads merged at once in this process; others wait on disk, without a connection. */
const MAX_MERGES = 3;
const MERGE_WAIT_MS = 10 * 60_000;
/** Connections for what requests ask of the database. */
const REQUEST_CONNECTIONS = 10;
/** Requests that wait for one of those: more than that and waiting would take longer than asking again. */
const MAX_WAITING_REQUESTS = 512;
const MAX_WAITING_REQUESTS_PER_ADDRESS = 256;
const REQUEST_WAIT_MS = 5_000;

export interface Roles {
  /** Answer HTTP. */
  serve: boolean;
  /** Run exports. */
  work: boolean;
}

export interface Service {
  /** Where clients reach it; null when it only works. */
  readonly url: string | null;
  /** Finishes or hands back what runs, then closes everything in the reverse order of its opening. */
  stop(): Promise<void>;
}

/** Parts that a test replaces. */
export interface Overrides {
  storage?: Storage;
  graceMs?: number;
  retryDelayMs?: (errors: number) => number;
}

/** Closes one part. What still runs may go on until the deadline. */
type Close = (deadline: Deadline) => Promise<void>;

/**
 * The composition root: config to running service. What was opened when a later step fails is closed
 * again.
 */
export async function startService(
  config: Config,
  roles: Roles,
  log: Logger,
  signal: AbortSignal,
  overrides: Overrides = {},
): Promise<Service> {
  const graceMs = overrides.graceMs ?? GRACE_MS;
  const warnings = new RepeatedWarnings(log);
  /** What serves and works: told to finish first, and all at once. */
  const draining: Close[] = [];
  /** What those stand on, in the order of opening. */
  const closers: { close: Close; withinMs: number }[] = [];
  const closeOne = async (close: Close, deadline: Deadline, withinMs: number): Promise<void> => {
    const closing = close(deadline).catch((error: unknown) =>
      log.error({ error: oneLine(error) }, 'closing failed'),
    );
    // What hangs, such as a database that does not answer, does not keep the rest.
    const limit = new Deadline(deadline.remainingMs() + withinMs);
    if (!(await limit.waitFor(closing))) log.error('closing did not end in time');
  };
  const stop = async (): Promise<void> => {
    const deadline = new Deadline(graceMs);
    await Promise.all(draining.splice(0).map((close) => closeOne(close, deadline, CLOSE_MS)));
    // Nothing is left that could make use of the rest of the grace.
    const now = new Deadline(0);
    for (const { close, withinMs } of closers.splice(0).toReversed()) {
      await closeOne(close, now, withinMs);
    }
    warnings.flush();
  };
  try {
    return await open();
  } catch (error) {
    await stop();
    throw error;
  }

  async function open(): Promise<Service> {
    const warnLost = (error: Error): void => warnings.warn('database connection lost', error);
    const database = await openDatabase({
      databaseUrl: config.databaseUrl,
      dataDir: config.dataDir,
      poolSize: REQUEST_CONNECTIONS + config.workers,
      onError: warnLost,
      signal,
    });
    closers.push({
      close: () => database.close(),
      withinMs: config.databaseUrl === null ? CLOSE_OWN_DATABASE_MS : CLOSE_MS,
    });
    log.info({ place: database.place }, 'database');
    await migrate(database.pool);
    const storage = overrides.storage ?? new DirectoryStorage(storageDirectory(config));
    const store = new StoreCheck(storage, await bindStore(database.pool, storage));
    const checkStore = (): Promise<void> => store.check();
    await checkStore();
    const queue = await BossQueue.open(database.connection, {
      works: roles.work,
      onError: (error) => warnings.warn('queue', error),
    });
    closers.push({
      close: (deadline) => queue.close(deadline.remainingMs()),
      withinMs: CLOSE_MS,
    });
    if (roles.work) {
      const worker = await startWorker(
        {
          pool: database.pool,
          queue,
          storage,
          checkStore,
          retentionMs: config.retentionMs,
          historyMs: config.historyMs,
          retryDelayMs: overrides.retryDelayMs ?? retryDelayMs,
          workerName: `${hostname()}/${process.pid}`,
          log,
        },
        config.workers,
      );
      draining.push((deadline) => worker.stop(deadline));
    }
    if (!roles.serve) return { url: null, stop };
    const loadPool = createPool(database.connection, MAX_MERGES, warnLost, MERGE_WAIT_MS);
    closers.push({ close: () => loadPool.end(), withinMs: CLOSE_MS });
    const { app, url } = await listen(config, database, loadPool, queue, storage, checkStore, log);
    draining.push((deadline) => closeApp(app, deadline));
    return { url, stop };
  }
}

async function listen(
  config: Config,
  database: Database,
  loadPool: Pool,
  queue: BossQueue,
  storage: Storage,
  checkStorage: () => Promise<void>,
  log: Logger,
): Promise<{ app: App; url: string }> {
  const keys = config.signingKeys ?? [await sharedSigningKey(database.pool)];
  let url = config.publicUrl ?? '';
  // Loaded when used: a worker alone needs no HTTP.
  const { createApp } = await import('./http/app.ts');
  const context: HttpContext = {
    pool: database.pool,
    turns: new FairSemaphore({
      permits: REQUEST_CONNECTIONS,
      waiting: MAX_WAITING_REQUESTS,
      waitingPerKey: MAX_WAITING_REQUESTS_PER_ADDRESS,
      waitMs: REQUEST_WAIT_MS,
    }),
    loadPool,
    queue,
    storage,
    signer: new UrlSigner(keys),
    rules: config,
    publicUrl: () => url,
    spoolDirectory: join(config.dataDir, 'spool'),
    log,
    readiness: () => readiness(database, checkStorage),
  };
  const open = async (): Promise<{ app: App; url: string; close: () => Promise<void> }> => {
    const app = await createApp(context);
    const address = await app.listen({ host: config.host, port: config.port });
    return { app, url: address, close: () => app.close() };
  };
  const { app, url: address } = await (config.port === 0 ? listenOnUsablePort(open) : open());
  url ||= address;
  warnOfRefusedPort(url, log);
  return { app, url: address };
}

function warnOfRefusedPort(url: string, log: Logger): void {
  if (!isRefusedPort(url)) return;
  log.warn(
    { port: Number(new URL(url).port) },
    'browsers and fetch() refuse to connect to this port: choose another one in PORT, or in TILLROLL_PUBLIC_URL',
  );
}

async function readiness(database: Database, checkStorage: () => Promise<void>): Promise<string[]> {
  const faults: string[] = [];
  try {
    const fault = await schemaFault(database.pool);
    if (fault) faults.push(fault);
  } catch (error) {
    faults.push(`the database cannot be reached (${oneLine(error)})`);
  }
  await checkStorage().catch((error: unknown) => {
    faults.push(`files cannot be written (${oneLine(error)})`);
  });
  return faults;
}

async function closeApp(app: App, deadline: Deadline): Promise<void> {
  // An upload or download that outlasts the grace is cut.
  const timer = setTimeout(() => app.server.closeAllConnections(), deadline.remainingMs());
  try {
    await app.close();
  } finally {
    clearTimeout(timer);
  }
}
