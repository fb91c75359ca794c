import { join } from 'node:path';
import { storageDirectory, type Config } from './config.ts';
import { migrate } from './database/migrations.ts';
import { openDatabase, type Database } from './database/open.ts';
import { createPool, type Pool, type PoolOptions } from './database/pool.ts';
import { Pulse } from './database/pulse.ts';
import { sharedSigningKey } from './database/signing-key.ts';
import { oneLine } from './errors.ts';
import { PollReader } from './exports/poll.ts';
import { FairSemaphore } from './fair-semaphore.ts';
import type { App } from './http/app.ts';
import type { Logger } from './log.ts';
import { BossQueue } from './queue/boss-queue.ts';
import { DirectoryStorage } from './storage/directory.ts';
import { UrlSigner } from './storage/signature.ts';
import type { Storage } from './storage/storage.ts';
import { Watch } from './watch.ts';
import { startWorker } from './worker/worker.ts';

/** How long running exports and requests may go on once the service is told to stop. */
const GRACE_MS = 10_000;
/** Uploads merged at once in this process; others wait on disk, without a connection. */
const MAX_MERGES = 3;
const MERGE_WAIT_MS = 10 * 60_000;
/** One statement of a load: the COPY of 4 GiB, or its merge. */
const MERGE_STATEMENT_MS = 30 * 60_000;
/** Between a failover and the first request that it would hit, there is at most this. */
const PULSE_EVERY_MS = 2_000;
/** A disk that is busy with a load may take a while to confirm one write. */
const PULSE_STATEMENT_MS = 3_000;
const PULSE_BOUND_MS = 6_000;
/** Writing a probe file wears a disk; a full one is found soon enough. */
const STORAGE_EVERY_MS = 10_000;
const STORAGE_BOUND_MS = 10_000;
/** Connections for what requests ask of the database. */
const REQUEST_CONNECTIONS = 10;
/** Requests that wait for one of those: more than that and waiting would take longer than asking again. */
const MAX_WAITING_REQUESTS = 512;
const MAX_WAITING_REQUESTS_PER_ADDRESS = 256;
const REQUEST_WAIT_MS = 5_000;
/** The longest statement of a request, and the longest wait for a connection. */
const REQUEST_STATEMENT_MS = 15_000;
const CONNECT_MS = 5_000;

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
      waitMs: CONNECT_MS,
      statementMs: REQUEST_STATEMENT_MS,
      onError: warnLost,
      signal,
    });
    closers.push(() => database.close());
    log.info({ place: database.place }, 'database');
    await migrate(database.pool);
    const storage = overrides.storage ?? new DirectoryStorage(storageDirectory(config));
    const isStored = await watchStorage(storage);
    const queue = await BossQueue.open(database.connection, {
      works: roles.work,
      onError: (error) => log.warn({ error: oneLine(error) }, 'queue'),
      onWarning: (message) => log.warn(message),
    });
    closers.push(() => queue.close(graceMs));
    const pools = [database.pool];
    const extraPool = (max: number, options: PoolOptions): Pool => {
      const pool = createPool(database.connection, max, warnLost, options);
      closers.push(() => pool.end());
      pools.push(pool);
      return pool;
    };
    const pulsePool = createPool(database.connection, 1, warnLost, {
      waitMs: PULSE_STATEMENT_MS,
      statementMs: PULSE_STATEMENT_MS,
      // Where its connection led nowhere, those of the others do, too: also to a server that is
      // read-only now and answers reads as ever.
      onRenew() {
        for (const pool of pools) pool.renew();
        queue.renewConnections();
      },
    });
    closers.push(() => pulsePool.end());
    const pulse = new Pulse(pulsePool);
    const isAlive = await watchPulse(pulse, () => pulsePool.renew());
    if (roles.work) {
      const source = {
        connection: database.connection,
        pool: extraPool(config.workers, { readOnly: true }),
      };
      const worker = await startWorker(
        { pool: database.pool, source, queue, storage, retentionMs: config.retentionMs, log },
        config.workers,
      );
      closers.push(() => worker.stop(graceMs));
    }
    if (!roles.serve) return { url: null, stop };
    const loadPool = extraPool(MAX_MERGES, {
      waitMs: MERGE_WAIT_MS,
      statementMs: MERGE_STATEMENT_MS,
      lockMs: MERGE_STATEMENT_MS,
    });
    const { app, url } = await listen(config, database, loadPool, queue, storage, log, {
      now: () => pulse.now(),
      isReady: () => isAlive() && isStored(),
    });
    closers.push(() => closeApp(app, graceMs));
    return { url, stop };
  }

  /** Sees to it that the database can be written to. @returns whether it could, just now. */
  async function watchPulse(pulse: Pulse, onLost: () => void): Promise<() => boolean> {
    return watch(
      () => pulse.check(),
      PULSE_EVERY_MS,
      PULSE_BOUND_MS,
      (fault) => {
        if (fault === null) return log.info('ready: the database can be written to');
        log.error({ error: oneLine(fault) }, 'not ready: the database cannot be used');
        onLost();
      },
    );
  }

  async function watchStorage(storage: Storage): Promise<() => boolean> {
    await storage.check();
    return watch(
      () => storage.check(),
      STORAGE_EVERY_MS,
      STORAGE_BOUND_MS,
      (fault) => {
        if (fault === null) log.info('ready: files can be written');
        else log.error({ error: oneLine(fault) }, 'not ready: files cannot be written');
      },
    );
  }

  async function watch(
    check: () => Promise<void>,
    everyMs: number,
    boundMs: number,
    onChange: (fault: unknown) => void,
  ): Promise<() => boolean> {
    const started = new Watch({ check, everyMs, boundMs, onChange });
    await started.start();
    closers.push(() => started.close());
    return () => started.isGood;
  }
}

async function listen(
  config: Config,
  database: Database,
  loadPool: Pool,
  queue: BossQueue,
  storage: Storage,
  log: Logger,
  health: { now: () => number; isReady: () => boolean },
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
    polls: new PollReader(database.pool),
    loadPool,
    queue,
    storage,
    signer: new UrlSigner(keys),
    rules: config,
    publicUrl: () => url,
    connections: {
      connections: config.maxConnections,
      perAddress: config.maxConnectionsPerAddress,
    },
    trustedProxies: config.trustedProxies,
    spoolDirectory: join(config.dataDir, 'spool'),
    log,
    ...health,
  });
  // One server, one address: "localhost" may stand for two.
  const host = config.host === 'localhost' ? '127.0.0.1' : config.host;
  const address = await app.listen({ host, port: config.port });
  url ||= address;
  return { app, url: address };
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
