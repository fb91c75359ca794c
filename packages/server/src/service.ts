import { hostname } from 'node:os';
import { join } from 'node:path';
import { storageDirectory, type Config } from './config.ts';
import { migrate } from './database/migrations.ts';
import { openDatabase, type Database } from './database/open.ts';
import { createPool, type Pool, type PoolOptions } from './database/pool.ts';
import { Pulse } from './database/pulse.ts';
import { sharedSigningKey } from './database/signing-key.ts';
import { Deadline } from './deadline.ts';
import { oneLine } from './errors.ts';
import { retryDelayMs } from './exports/lifecycle.ts';
import { PollReader } from './exports/poll.ts';
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
import { Watch } from './watch.ts';
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
/** One statement of a load: the COPY of 4 GiB, or its merge. */
const MERGE_STATEMENT_MS = 30 * 60_000;
/** Between a failover and the first request that it would hit, there is at most this. */
const PULSE_EVERY_MS = 2_000;
const PULSE_STATEMENT_MS = 1_500;
const PULSE_BOUND_MS = 4_000;
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
  retryDelayMs?: (errors: number) => number;
}

/** What is closed when the service stops. */
interface Part {
  readonly name: string;
  /** Closes it. What still runs may go on until the deadline. */
  close(deadline: Deadline): Promise<void>;
  /** How long closing may take; unless told, all of them together have `CLOSE_MS`. */
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
    const drained = new Deadline(graceMs + CLOSE_MS);
    await Promise.all(draining.splice(0).map((part) => closePart(part, deadline, drained, log)));
    // Nothing is left that could make use of the rest of the grace.
    const now = new Deadline(0);
    const closed = new Deadline(CLOSE_MS);
    for (const part of standing.splice(0).toReversed()) {
      const limit = part.withinMs === undefined ? closed : new Deadline(part.withinMs);
      await closePart(part, now, limit, log);
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
      waitMs: CONNECT_MS,
      statementMs: REQUEST_STATEMENT_MS,
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
    const isStored = await watchStore(checkStore);
    const queue = await BossQueue.open(database.connection, {
      works: roles.work,
      onError: (error) => warnings.warn('queue', error),
      onWarning: (message) => log.warn(message),
    });
    standing.push({ name: 'queue', close: (deadline) => queue.close(deadline.remainingMs()) });
    const pools = [database.pool];
    const extraPool = (max: number, options: PoolOptions): Pool => {
      const pool = createPool(database.connection, max, warnLost, options);
      standing.push({ name: 'connections', close: () => pool.end() });
      pools.push(pool);
      return pool;
    };
    const pulse = new Pulse(
      extraPool(1, { waitMs: PULSE_STATEMENT_MS, statementMs: PULSE_STATEMENT_MS }),
    );
    const isAlive = await watchPulse(pulse, () => {
      for (const pool of pools) pool.renew();
      queue.renewConnections();
    });
    if (roles.work) {
      const source = {
        connection: database.connection,
        pool: extraPool(config.workers, { readOnly: true }),
      };
      const worker = await startWorker(
        {
          pool: database.pool,
          source,
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
    const loadPool = extraPool(MAX_MERGES, {
      waitMs: MERGE_WAIT_MS,
      statementMs: MERGE_STATEMENT_MS,
      lockMs: MERGE_STATEMENT_MS,
    });
    const { app, url } = await listen(config, database, loadPool, queue, storage, log, {
      now: () => pulse.now(),
      isReady: () => isAlive() && isStored(),
    });
    draining.push({ name: 'HTTP', close: (deadline) => closeApp(app, deadline) });
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

  async function watchStore(checkStore: () => Promise<void>): Promise<() => boolean> {
    await checkStore();
    return watch(checkStore, STORAGE_EVERY_MS, STORAGE_BOUND_MS, (fault) => {
      if (fault === null) log.info('ready: files can be written');
      else log.error({ error: oneLine(fault) }, 'not ready: files cannot be written');
    });
  }

  async function watch(
    check: () => Promise<void>,
    everyMs: number,
    boundMs: number,
    onChange: (fault: unknown) => void,
  ): Promise<() => boolean> {
    const started = new Watch({ check, everyMs, boundMs, onChange });
    await started.start();
    standing.push({ name: 'watch', close: () => started.close() });
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
  const context: HttpContext = {
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
  };
  // One server, one address: "localhost" may stand for two.
  const host = config.host === 'localhost' ? '127.0.0.1' : config.host;
  const open = async (): Promise<{ app: App; url: string; close: () => Promise<void> }> => {
    const app = await createApp(context);
    const address = await app.listen({ host, port: config.port });
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

/**
 * Never throws. What hangs, such as a database that does not answer, does not keep the rest.
 * @param deadline for what still runs. @param limit for the closing itself.
 */
async function closePart(
  part: Part,
  deadline: Deadline,
  limit: Deadline,
  log: Logger,
): Promise<void> {
  const closing = part
    .close(deadline)
    .catch((error: unknown) =>
      log.error({ part: part.name, error: oneLine(error) }, 'closing failed'),
    );
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
