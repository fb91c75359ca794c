import { join } from 'node:path';
import { storageDirectory, type Config } from './config.ts';
import { migrate, schemaFault } from './database/migrations.ts';
import { openDatabase, type Database } from './database/open.ts';
import { createPool } from './database/pool.ts';
import { sharedSigningKey } from './database/signing-key.ts';
import { oneLine } from './errors.ts';
import { FairSemaphore } from './fair-semaphore.ts';
import type { App } from './http/app.ts';
import { Loader, MAX_MERGES } from './ingest/load.ts';
import type { Logger } from './log.ts';
import { BossQueue } from './queue/boss-queue.ts';
import { DirectoryStorage } from './storage/directory.ts';
import { UrlSigner } from './storage/signature.ts';
import type { Storage } from './storage/storage.ts';
import { startWorker } from './worker/worker.ts';

/** How long running exports and requests may go on once the service is told to stop. */
const GRACE_MS = 10_000;
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
  const closers: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    for (const close of closers.splice(0).toReversed()) {
      await close().catch((error: unknown) =>
        log.error({ error: oneLine(error) }, 'closing failed'),
      );
    }
  };
  try {
    return await open();
  } catch (error) {
    await stop();
    throw error;
  }

  async function open(): Promise<Service> {
    const graceMs = overrides.graceMs ?? GRACE_MS;
    const warnLost = (error: Error): void =>
      log.warn({ error: oneLine(error) }, 'database connection lost');
    const database = await openDatabase({
      databaseUrl: config.databaseUrl,
      dataDir: config.dataDir,
      poolSize: REQUEST_CONNECTIONS + config.workers,
      onError: warnLost,
      signal,
    });
    closers.push(() => database.close());
    log.info({ place: database.place }, 'database');
    await migrate(database.pool);
    const storage = overrides.storage ?? new DirectoryStorage(storageDirectory(config));
    await storage.check();
    const queue = await BossQueue.open(database.connection, {
      works: roles.work,
      onError: (error) => log.warn({ error: oneLine(error) }, 'queue'),
    });
    closers.push(() => queue.close(graceMs));
    if (roles.work) {
      const worker = await startWorker(
        { pool: database.pool, queue, storage, retentionMs: config.retentionMs, log },
        config.workers,
      );
      closers.push(() => worker.stop(graceMs));
    }
    if (!roles.serve) return { url: null, stop };
    // Connections for uploads: few, apart, so that they never starve the rest.
    const loadPool = createPool(database.connection, MAX_MERGES, warnLost);
    closers.push(() => loadPool.end());
    const loader = new Loader(loadPool, join(config.dataDir, 'spool'), config);
    closers.push(() => loader.close());
    const { app, url } = await listen(config, database, loader, queue, storage, log);
    closers.push(() => closeApp(app, graceMs));
    return { url, stop };
  }
}

async function listen(
  config: Config,
  database: Database,
  loader: Loader,
  queue: BossQueue,
  storage: Storage,
  log: Logger,
): Promise<{ app: App; url: string }> {
  const keys = config.signingKeys ?? [await sharedSigningKey(database.pool)];
  let url = config.publicUrl ?? '';
  // Loaded when used: a worker alone needs no HTTP.
  const { createApp } = await import('./http/app.ts');
  const app = await createApp({
    pool: database.pool,
    turns: new FairSemaphore({
      permits: REQUEST_CONNECTIONS,
      waiting: MAX_WAITING_REQUESTS,
      waitingPerKey: MAX_WAITING_REQUESTS_PER_ADDRESS,
      waitMs: REQUEST_WAIT_MS,
    }),
    loader,
    queue,
    storage,
    signer: new UrlSigner(keys),
    rules: config,
    publicUrl: () => url,
    log,
    readiness: () => readiness(database, storage),
  });
  const address = await app.listen({ host: config.host, port: config.port });
  url ||= address;
  return { app, url: address };
}

async function readiness(database: Database, storage: Storage): Promise<string[]> {
  const faults: string[] = [];
  try {
    const fault = await schemaFault(database.pool);
    if (fault) faults.push(fault);
  } catch (error) {
    faults.push(`the database cannot be reached (${oneLine(error)})`);
  }
  await storage.check().catch((error: unknown) => {
    faults.push(`files cannot be written (${oneLine(error)})`);
  });
  return faults;
}

async function closeApp(app: App, graceMs: number): Promise<void> {
  // An upload or download that outlasts the grace is cut.
  const timer = setTimeout(() => app.server.closeAllConnections(), graceMs);
  try {
    await app.close();
  } finally {
    clearTimeout(timer);
  }
}
