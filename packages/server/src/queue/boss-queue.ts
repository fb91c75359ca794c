/** The job queue, on pg-boss. */
import { PgBoss, type Db } from 'pg-boss';
import {
  createPool,
  toConnection,
  type Connection,
  type Pool,
  type PoolClient,
  type Target,
} from '../database/pool.ts';
import { IDLE_MS } from '../database/session.ts';
import { findErrorCode, oneLine } from '../errors.ts';
import type { PoolUsage } from '../observer.ts';
import { queueDatabase } from './database.ts';
import { measureQueue, type QueueDepth } from './depth.ts';
import { deliversNotifications } from '../database/listener.ts';

/** The queue's tables, apart from ours. */
const SCHEMA = 'tillroll_queue';

const RUN = 'run-export';
const EXPIRE = 'expire-export';
const SWEEP = 'sweep-files';

const DAY_S = 86_400;

const QUEUES = {
  [RUN]: {
    notify: true,
    // A worker that falls silent for 10 s has lost its job; measured, it runs elsewhere after 10-16 s.
    heartbeatSeconds: 10,
    // Interruptions are counted in the export's row, which ends it long before this.
    retryLimit: 100,
    retryDelay: 2,
    expireInSeconds: DAY_S - 1,
    retentionSeconds: 400 * DAY_S,
    deleteAfterSeconds: DAY_S,
  },
  [EXPIRE]: {
    retryLimit: 100,
    retryDelay: 30,
    retentionSeconds: 400 * DAY_S,
    deleteAfterSeconds: DAY_S,
  },
  [SWEEP]: {
    policy: 'singleton',
    retryLimit: 3,
    retryDelay: 30,
    deleteAfterSeconds: DAY_S,
    retentionSeconds: DAY_S,
  },
} as const;

const SWEEP_CRON = '*/10 * * * *';

/** The data of a job. */
interface JobData {
  exportId: string;
  /** The id of the request that created the export; null where it is not known. */
  requestId: string | null;
}

export interface RunJob extends JobData {
  jobId: string;
  /** Which of this process's workers took it; counts from 1. */
  worker: number;
  /** Aborts when the queue has given the job to another worker. */
  signal: AbortSignal;
}

function toData({ exportId, requestId }: JobData): JobData {
  return { exportId, requestId };
}

/** A job that runs an export, as the queue has it. */
export interface QueuedJob {
  readonly id: string;
  readonly state: 'waiting' | 'active';
  /** Epoch milliseconds before which no worker takes it. */
  readonly startAfter: number;
}

/** The handlers of a worker's jobs. A job whose handler throws is tried again. */
export interface JobHandlers {
  run(job: RunJob): Promise<void>;
  expire(job: JobData): Promise<void>;
  sweep(): Promise<void>;
}

export interface QueueOptions {
  works: boolean;
  /** Called for faults in the background, with one text for each cause; the queue continues. */
  onError: (error: string) => void;
  /** Told, once, why jobs are found by polling alone. */
  onWarning?: (message: string) => void;
}

/** The longest of its statements counts every job, or deletes those of a day. */
const STATEMENT_MS = 60_000;

/** Tells whether this role may make and change the queue's schema; one with rights on data alone may not. */
async function mayChange(pool: Pool): Promise<boolean> {
  const { rows } = await pool.query<{ may: boolean }>(
    `SELECT CASE WHEN to_regnamespace('${SCHEMA}') IS NULL THEN true
            ELSE has_schema_privilege('${SCHEMA}', 'CREATE') END AS may`,
  );
  return rows[0]?.may ?? false;
}

async function listens(
  connection: Connection,
  pool: Pool,
  { onWarning }: QueueOptions,
): Promise<boolean> {
  if (await deliversNotifications(connection, pool)) return true;
  onWarning?.(
    'notifications do not arrive: the database is behind a pooler that shares sessions (such as PgBouncer in transaction mode); jobs are found by polling every second',
  );
  return false;
}

/**
 * The durable queue, on pg-boss. Methods that take a client run inside its transaction.
 *
 * A process that only serves sends jobs and nothing else; one that works listens, polls, and watches
 * over lost workers.
 */
export class BossQueue {
  readonly #boss: PgBoss;
  readonly #pool: Pool;
  private constructor(boss: PgBoss, pool: Pool) {
    this.#boss = boss;
    this.#pool = pool;
  }

  /** @throws when its schema does not fit and this role may not change it. */
  static async open(target: Target, options: QueueOptions): Promise<BossQueue> {
    const { works, onError } = options;
    const connection = toConnection(target);
    const pool = createPool(connection, works ? 4 : 2, (error) => onError(oneLine(error)), {
      applicationName: 'tillroll queue',
      statementMs: STATEMENT_MS,
      idleMs: IDLE_MS,
    });
    let boss: PgBoss | null = null;
    try {
      const owns = await mayChange(pool);
      boss = new PgBoss({
        db: queueDatabase(connection, pool),
        schema: SCHEMA,
        migrate: owns,
        reindex: owns,
        useListenNotify: works && (await listens(connection, pool, options)),
        supervise: works,
        schedule: works,
        superviseIntervalSeconds: 5,
        monitorIntervalSeconds: 5,
      });
      boss.on('error', (emitted: unknown) => onError(withoutPoller(emitted)));
      await boss.start().catch((cause: unknown) => {
        if (owns) throw cause;
        throw new Error(
          `the schema ${SCHEMA} does not fit: run "tillroll-server migrate" as the role that owns it`,
          { cause },
        );
      });
      const existing = new Set((await boss.getQueues(Object.keys(QUEUES))).map(({ name }) => name));
      for (const [name, settings] of Object.entries(QUEUES)) {
        if (!existing.has(name)) await boss.createQueue(name, settings);
      }
      return new BossQueue(boss, pool);
    } catch (error) {
      // Its timers would keep a process alive that serves nothing.
      await boss?.stop({ graceful: false }).catch(() => undefined);
      await pool.end();
      throw error;
    }
  }

  /** Use of its connections. */
  get usage(): PoolUsage {
    return this.#pool.usage;
  }

  /** Counts the jobs that run exports, over all processes. */
  measure(): Promise<QueueDepth> {
    return measureQueue(this.#pool);
  }

  /** Leaves every connection, after a failover. */
  renewConnections(): void {
    this.#pool.renew();
  }

  async enqueueRun(
    client: PoolClient,
    job: JobData & { jobId: string; turnTime: number; delayMs: number },
  ): Promise<void> {
    await this.#boss.send(RUN, toData(job), {
      id: job.jobId,
      db: inside(client),
      priority: toPriority(job.turnTime),
      ...(job.delayMs > 0 && { startAfter: Math.ceil(job.delayMs / 1000) }),
    });
  }

  async enqueueExpiry(client: PoolClient, job: JobData & { at: number }): Promise<void> {
    await this.#boss.send(EXPIRE, toData(job), {
      db: inside(client),
      startAfter: new Date(job.at),
    });
  }

  /** The job that runs an export, or null when it has ended, or is gone. */
  async findRun(jobId: string): Promise<QueuedJob | null> {
    for (const { state, startAfter } of await this.#boss.findJobs(RUN, { id: jobId })) {
      if (state === 'active') return { id: jobId, state, startAfter: startAfter.getTime() };
      if (state === 'created' || state === 'retry')
        return { id: jobId, state: 'waiting', startAfter: startAfter.getTime() };
    }
    return null;
  }

  /** Starts taking jobs. @param concurrency exports at once in this process. */
  async work(handlers: JobHandlers, concurrency: number): Promise<void> {
    for (let n = 1; n <= concurrency; n++) await this.#workRuns(handlers, n);
    const expiring: string = await this.#boss.work<JobData>(
      EXPIRE,
      { pollingIntervalSeconds: 1 },
      async ([job]) => {
        if (!job) return;
        await handlers.expire(job.data);
        // A poll takes one job, and many exports may expire at the same time: the next is fetched at once.
        this.#boss.notifyWorker(expiring);
      },
    );
    await this.#boss.work(SWEEP, { pollingIntervalSeconds: 5 }, () => handlers.sweep());
    await this.#boss.schedule(SWEEP, SWEEP_CRON);
    // Sweeps the remains of a crash now, not at the next tick of the schedule.
    await this.#boss.send(SWEEP);
  }

  async #workRuns(handlers: JobHandlers, worker: number): Promise<void> {
    const workerId: string = await this.#boss.work<JobData>(
      RUN,
      {
        heartbeatRefreshSeconds: 3,
        // A job that is tried again is not notified: polling finds it.
        notifyPollingIntervalSeconds: 2,
        pollingIntervalSeconds: 1,
      },
      async ([job]) => {
        if (!job) return;
        try {
          const { id: jobId, signal, data } = job;
          await handlers.run({ jobId, ...data, worker, signal });
        } finally {
          // Jobs that arrived while this one ran are fetched at once, not at the next poll.
          this.#boss.notifyWorker(workerId);
        }
      },
    );
  }

  /** Takes no more jobs. Those that are running continue. */
  async pause(): Promise<void> {
    await Promise.all(Object.keys(QUEUES).map((name) => this.#boss.offWork(name, { wait: false })));
  }

  /** Waits for running handlers up to `timeoutMs`, then closes. */
  async close(timeoutMs: number): Promise<void> {
    await this.#boss.stop({ graceful: true, close: true, timeout: timeoutMs });
    await this.#pool.end();
  }
}

/** The zero of priorities, which are 32-bit seconds: they suffice until 2088. */
const PRIORITY_EPOCH_MS = Date.UTC(2020, 0, 1);

/** pg-boss takes the highest priority first: that of the earliest turn. */
function toPriority(turnTime: number): number {
  return -Math.floor((turnTime - PRIORITY_EPOCH_MS) / 1000);
}

/** pg-boss appends which of its pollers met an error: the cause of all of them is one. */
const POLLER = ' (Queue: ';

/** An error that pg-boss emits, or a copy of one, which has the text of its cause alone. */
function withoutPoller(emitted: unknown): string {
  const text = oneLine(emitted);
  const poller = text.endsWith(')') ? text.indexOf(POLLER) : -1;
  const message = poller < 0 ? text : text.slice(0, poller);
  return message === '' ? (findErrorCode(emitted) ?? 'unknown error') : message;
}

/** pg-boss runs its statement on our connection, and so in our transaction. */
function inside(client: PoolClient): Db {
  return { executeSql: (text, values) => client.query(text, values) };
}
