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

/** What is closed when the service stops. */
interface Part {
  readonly name: string;
  /** Closes it. What still runs may go on until the deadline. */
  close(deadline: Deadline): Promise<void>;
  /** How long closing may take after the deadline; `CLOSE_MS` unless told. */
  readonly withinMs?: number;
}

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
  const draining: Part[] = [];
  /** What those stand on, in the order of opening. */
  const standing: Part[] = [];
  const stop = async (): Promise<void> => {
    const deadline = new Deadline(graceMs);
    await Promise.all(draining.splice(0).map((part) => closePart(part, deadline, log)));
    // Nothing is left that could make use of the rest of the grace.
    const now = new Deadline(0);
    for (const part of standing.splice(0).toReversed()) await closePart(part, now, log);
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
    standing.push({
      name: 'database',
      close: () => database.close(),
      ...(config.databaseUrl === null && { withinMs: CLOSE_OWN_DATABASE_MS }),
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
    standing.push({ name: 'queue', close: (deadline) => queue.close(deadline.remainingMs()) });
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
          warnings,
          workerName: `${hostname()}/${process.pid}`,
          log,
        },
        config.workers,
      );
      draining.push({ name: 'worker', close: (deadline) => worker.stop(deadline) });
    }
    if (!roles.serve) return { url: null, stop };
    const loadPool = createPool(database.connection, MAX_MERGES, warnLost, MERGE_WAIT_MS);
    standing.push({ name: 'connections for loads', close: () => loadPool.end() });
    const { app, url } = await listen(config, database, loadPool, queue, storage, checkStore, log);
    draining.push({ name: 'HTTP', close: (deadline) => closeApp(app, deadline) });
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

/** Never throws. What hangs, such as a database that does not answer, does not keep the rest. */
async function closePart(part: Part, deadline: Deadline, log: Logger): Promise<void> {
  const closing = part
    .close(deadline)
    .catch((error: unknown) =>
      log.error({ part: part.name, error: oneLine(error) }, 'closing failed'),
    );
  const limit = new Deadline(deadline.remainingMs() + (part.withinMs ?? CLOSE_MS));
  if (!(await limit.waitFor(closing))) {
    log.error({ part: part.name }, 'closing did not end in time');
  }
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
