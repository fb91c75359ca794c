/** Starts and stops the service: from settings to running parts. */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Config } from './config/settings.ts';
import { migrate, SCHEMA_VERSION } from './database/migrations.ts';
import { openDatabase } from './database/open.ts';
import { createPool, type Pool, type PoolOptions } from './database/pool.ts';
import { Pulse } from './database/pulse.ts';
import { IDLE_MS } from './database/session.ts';
import { sharedSigningKey } from './database/signing-key.ts';
import { openSourceDatabase, type SourceDatabase } from './database/source-database.ts';
import { Cursors } from './exports/cursor.ts';
import { retryDelayMs } from './exports/lifecycle.ts';
import { PollReader } from './exports/poll.ts';
import { RateLimits } from './http/rate-limits.ts';
import { Turns } from './http/turns.ts';
import { Loader, MAX_MERGES } from './ingest/load.ts';
import type { Logger } from './log.ts';
import { UNOBSERVED } from './observer.ts';
import { openReceiptKeys } from './receipts/open.ts';
import { ReceiptSigner } from './receipts/signer.ts';
import { BossQueue } from './queue/boss-queue.ts';
import { RepeatedWarnings } from './repeated-warnings.ts';
import { startWatch } from './start/changes.ts';
import { watchDatabase, watchSource, watchStore } from './start/health.ts';
import { listen } from './start/listen.ts';
import { showBacklog, startMetrics } from './start/metrics.ts';
import { Parts } from './start/parts.ts';
import { CLOSE_WORKER_MS, WorkerProcess } from './start/worker-process.ts';
import { hasChanges } from './source/check.ts';
import { measureObjects } from './source/preview.ts';
import { ObservedStorage } from './storage/observed.ts';
import { openStorage } from './storage/open.ts';
import { UrlSigner } from './storage/signature.ts';
import type { Storage } from './storage/storage.ts';
import { bindStore, StoreCheck } from './store.ts';
import { VERSION } from './version.ts';
import { startWorker } from './worker/worker.ts';

/** Time that the service's own PostgreSQL, which writes its memory to disk when it stops, may take after that. */
const CLOSE_OWN_DATABASE_MS = 30_000;
/** One statement of a load: the COPY of 4 GiB, or its merge. */
const MERGE_STATEMENT_MS = 30 * 60_000;
/** A disk that is busy with a load may take a while to confirm one write. */
const PULSE_STATEMENT_MS = 3_000;
/** Connections for what requests ask of the database. */
const REQUEST_CONNECTIONS = 10;
/** The same for requests whose token was not found good lately. */
const STRANGER_CONNECTIONS = 2;
/** Connections for what a worker notes of its exports, besides one for each export. */
const WORKER_CONNECTIONS = 4;
/** The longest statement of a request, and the longest wait for a connection. */
const REQUEST_STATEMENT_MS = 15_000;
const CONNECT_MS = 5_000;

/** Dry runs at once. */
const MAX_PREVIEWS = 4;

export interface Roles {
  /** Answer HTTP. */
  serve: boolean;
  /** Run exports, in this process or in a child process. */
  work: boolean | 'child';
  /** True in the child process that runs exports. */
  isChild?: boolean;
}

export interface Service {
  /** Address at which clients reach it; null for a worker alone. */
  readonly url: string | null;
  /**
   * Finishes or releases what runs, then closes everything in the reverse order of its opening.
   * @param graceMs instead of the configured grace.
   */
  stop(graceMs?: number): Promise<void>;
}

/** Parts that a test replaces. */
export interface Overrides {
  storage?: Storage;
  retryDelayMs?: (errors: number) => number;
  /** Longest wait for a source that is behind. */
  behindMs?: number;
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
  const worksHere = roles.work === true;
  const warnings = new RepeatedWarnings(log);
  const parts = new Parts(log);
  let isStopping = false;
  const stop = async (graceMs = config.graceMs): Promise<void> => {
    isStopping = true;
    await parts.stop(graceMs);
    warnings.flush();
  };
  try {
    return { url: await open(), stop };
  } catch (error) {
    await stop();
    throw error;
  }

  async function open(): Promise<string | null> {
    const child = roles.work === 'child' ? new WorkerProcess(log, warnings) : null;
    if (child) {
      parts.addDraining({
        name: 'worker process',
        close: (deadline) => child.stop(deadline),
        withinMs: CLOSE_WORKER_MS,
      });
    }
    let isReady = (): boolean => false;
    const metrics = await startMetrics(config, {
      name: roles.serve && worksHere ? 'all' : roles.serve ? 'api' : 'worker',
      isReady: () => isReady(),
      parts,
      log,
      warnings,
      ...(roles.isChild && { channel: process }),
    });
    if (child) metrics?.showWorker(() => child.readMetrics());
    const observer = metrics?.observer ?? UNOBSERVED;
    const warnLost = (error: Error): void => warnings.warn('database connection lost', error);
    const database = await openDatabase({
      databaseUrl: config.databaseUrl,
      dataDir: config.dataDir,
      poolSize:
        (roles.serve ? REQUEST_CONNECTIONS + STRANGER_CONNECTIONS : 0) +
        (worksHere ? WORKER_CONNECTIONS + config.workers : 0),
      waitMs: CONNECT_MS,
      statementMs: REQUEST_STATEMENT_MS,
      idleMs: IDLE_MS,
      patience: {
        ms: config.waitMs,
        onWait: (location, error) => log.warn({ location, error }, 'waiting for the database'),
      },
      onError: warnLost,
      signal,
    });
    const { pool } = database;
    parts.addStanding({
      name: 'database',
      close: () => database.close(),
      ...(config.databaseUrl === null && { withinMs: CLOSE_OWN_DATABASE_MS }),
    });
    log.info({ location: database.location }, 'database');
    observer.watchPool('requests', pool);
    const pools = [pool];
    const openPool = (name: string, max: number, options: PoolOptions): Pool => {
      const opened = createPool(database.connection, max, warnLost, options);
      parts.addStanding({ name: `connections for ${name}`, close: () => opened.end() });
      observer.watchPool(name, opened);
      pools.push(opened);
      return opened;
    };

    const openSource = (connections: number): SourceDatabase => {
      const source = openSourceDatabase(
        config.sourceDatabaseUrl,
        database.connection,
        connections,
        (error) => warnings.warn('connection for exports lost', error),
      );
      parts.addStanding({ name: 'connections for exports', close: () => source.pool.end() });
      observer.watchPool('exports', source.pool);
      // A server of its own is lost by itself.
      if (!source.isSeparate) pools.push(source.pool);
      return source;
    };

    const schema = await migrate(pool, signal);
    if (schema.version > SCHEMA_VERSION) {
      log.info(schema, 'the schema is newer than this program, which can still run on it');
    }
    const opened = await openStorage(config.storage);
    const storage = new ObservedStorage(overrides.storage ?? opened.storage, observer);
    const store = new StoreCheck(storage, await bindStore(pool, storage), config.minFreeBytes);
    const checkStore = (): Promise<void> => store.check();
    await checkStore();
    child?.begin();
    const queue = await BossQueue.open(database.connection, {
      works: worksHere,
      onError: (error) => warnings.warn('queue', error),
      onWarning: (message) => log.warn(message),
    });
    observer.watchPool('queue', queue);
    parts.addStanding({ name: 'queue', close: (deadline) => queue.close(deadline.remainingMs()) });

    const pulsePool = createPool(database.connection, 1, warnLost, {
      waitMs: PULSE_STATEMENT_MS,
      statementMs: PULSE_STATEMENT_MS,
      // When its connection lost its server, those of the others did, too: also to a server that is
      // read-only now and answers reads as ever.
      onRenew() {
        for (const opened of pools) opened.renew();
        queue.renewConnections();
      },
    });
    parts.addStanding({ name: 'connection for checks', close: () => pulsePool.end() });
    observer.watchPool('checks', pulsePool);
    const role = roles.serve && worksHere ? 'all' : roles.serve ? 'serve' : 'work';
    const identity = { id: randomUUID(), role, host: hostname(), pid: process.pid };
    const pulse = new Pulse(pulsePool, { ...identity, version: VERSION });
    // Closed after the checks, which would write the row again. Without a database it cannot be removed, and
    // is seen as dead.
    parts.addStanding({
      name: 'row of this process',
      close: () => pulse.end().catch(() => undefined),
    });
    const isDatabaseGood = await watchDatabase(pulse, () => pulsePool.renew(), parts, log);
    const isStoreGood = await watchStore(checkStore, parts, log);
    isReady = () => !isStopping && isDatabaseGood() && isStoreGood();
    // Of `all` the API shows it.
    if (metrics && !roles.isChild) showBacklog(metrics, { pool, queue, isDatabaseGood }, warnings);
    const source = openSource((worksHere ? config.workers : 0) + (roles.serve ? MAX_PREVIEWS : 0));
    const sharedKey = await sharedSigningKey(pool);
    const cursors = new Cursors(sharedKey);
    if (worksHere) {
      if (source.isSeparate) {
        log.info({ location: source.location }, 'exports are read from');
        await watchSource(source, parts, log);
      }
      const worker = await startWorker(
        {
          pool,
          source: {
            ...source,
            ...(overrides.behindMs !== undefined && { behindMs: overrides.behindMs }),
          },
          queue,
          storage,
          checkStore,
          checkRoom: () => store.checkRoom(),
          cursors,
          retentionMs: config.retentionMs,
          tombstonesMs: config.tombstonesMs,
          historyMs: config.historyMs,
          retryDelayMs: overrides.retryDelayMs ?? retryDelayMs,
          warnings,
          workerName: `${identity.host}/${identity.pid}`,
          log,
          observer,
        },
        config.workers,
      );
      parts.addDraining({ name: 'worker', close: (deadline) => worker.stop(deadline) });
    }
    if (!roles.serve) return null;
    // Connections of their own: uploads never starve the rest.
    const loadPool = openPool('loads', MAX_MERGES, {
      statementMs: MERGE_STATEMENT_MS,
      lockMs: MERGE_STATEMENT_MS,
    });
    const loader = new Loader(loadPool, join(config.dataDir, 'spool'), config);
    observer.watchOpen('uploads', () => loader.open);
    parts.addStanding({ name: 'loader', close: () => loader.close() });
    const watch = await startWatch(database.connection, pool, parts, warnings);
    const api = await listen(config, {
      pool,
      watch,
      receipts: new ReceiptSigner(await openReceiptKeys(config.receiptKeyFiles, pool)),
      cursors,
      hasChanges: (type) => hasChanges(source, type),
      measure: (selection, boundMs) => measureObjects(source.pool, selection, boundMs),
      turns: new Turns({ known: REQUEST_CONNECTIONS, strangers: STRANGER_CONNECTIONS }),
      polls: new PollReader(pool),
      loader,
      queue,
      storage,
      presign: config.s3Redirect ? opened.presign : null,
      signer: new UrlSigner(config.signingKeys ?? [sharedKey]),
      rules: config,
      rateLimits: config.rateLimits && new RateLimits(config.rateLimits, () => pulse.serving),
      connections: {
        connections: config.maxConnections,
        perAddress: config.maxConnectionsPerAddress,
      },
      trustedProxies: config.trustedProxies,
      log,
      observer,
      now: () => pulse.now(),
      isReady,
    });
    parts.addDraining({ name: 'HTTP', close: (deadline) => api.close(deadline) });
    await child?.untilReady(signal);
    return api.url;
  }
}
