import { PgBoss, type Db } from 'pg-boss';
import type { Connection, PoolClient } from '../database/pool.ts';

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
    // Losses are counted in the export's row, which ends it long before this.
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

export interface RunJob {
  jobId: string;
  exportId: string;
  /** Aborts when the queue has given the job to somebody else. */
  signal: AbortSignal;
}

/** What a worker does with the jobs; a handler that throws has its job tried again. */
export interface JobHandlers {
  run(job: RunJob): Promise<void>;
  expire(exportId: string): Promise<void>;
  sweep(): Promise<void>;
}

/**
 * The durable queue, on pg-boss. Methods that take a client run inside its transaction.
 *
 * A process that only serves sends jobs and nothing else; one that works listens, polls, and watches
 * over lost workers.
 */
export class BossQueue {
  readonly #boss: PgBoss;
  private constructor(boss: PgBoss) {
    this.#boss = boss;
  }

  /** @param onError is told of faults in the background; the queue goes on. */
  static async open(
    connection: Connection,
    options: { works: boolean; onError: (error: Error) => void },
  ): Promise<BossQueue> {
    const boss = new PgBoss({
      ...connection,
      application_name: 'tillroll queue',
      schema: SCHEMA,
      max: options.works ? 4 : 2,
      useListenNotify: options.works,
      supervise: options.works,
      schedule: options.works,
      superviseIntervalSeconds: 5,
      monitorIntervalSeconds: 5,
      connectionTimeoutMillis: 10_000,
    });
    boss.on('error', options.onError);
    try {
      await boss.start();
      const existing = new Set((await boss.getQueues(Object.keys(QUEUES))).map(({ name }) => name));
      for (const [name, settings] of Object.entries(QUEUES)) {
        if (!existing.has(name)) await boss.createQueue(name, settings);
      }
      return new BossQueue(boss);
    } catch (error) {
      // Its timers would keep a process alive that serves nothing.
      await boss.stop({ graceful: false }).catch(() => undefined);
      throw error;
    }
  }

  async enqueueRun(
    client: PoolClient,
    job: { jobId: string; exportId: string; delayMs: number },
  ): Promise<void> {
    await this.#boss.send(
      RUN,
      { exportId: job.exportId },
      {
        id: job.jobId,
        db: inside(client),
        ...(job.delayMs > 0 && { startAfter: Math.ceil(job.delayMs / 1000) }),
      },
    );
  }

  async enqueueExpiry(client: PoolClient, job: { exportId: string; at: number }): Promise<void> {
    await this.#boss.send(
      EXPIRE,
      { exportId: job.exportId },
      { db: inside(client), startAfter: new Date(job.at) },
    );
  }

  /** Whether a job is still waiting or running. */
  async isLive(jobId: string): Promise<boolean> {
    const jobs = await this.#boss.findJobs(RUN, { id: jobId });
    return jobs.some(({ state }) => state === 'created' || state === 'retry' || state === 'active');
  }

  /** Whether a worker runs a job at this moment, as far as the queue knows. */
  async isRunning(jobId: string): Promise<boolean> {
    const jobs = await this.#boss.findJobs(RUN, { id: jobId });
    return jobs.some(({ state }) => state === 'active');
  }

  /** Starts taking jobs. @param concurrency exports at once in this process. */
  async work(handlers: JobHandlers, concurrency: number): Promise<void> {
    for (let n = 0; n < concurrency; n++) await this.#workRuns(handlers);
    await this.#boss.work<{ exportId: string }>(
      EXPIRE,
      { pollingIntervalSeconds: 1 },
      async ([job]) => {
        if (job) await handlers.expire(job.data.exportId);
      },
    );
    await this.#boss.work(SWEEP, { pollingIntervalSeconds: 5 }, () => handlers.sweep());
    await this.#boss.schedule(SWEEP, SWEEP_CRON);
    // What a crash left behind goes now, not at the next tick of the schedule.
    await this.#boss.send(SWEEP);
  }

  async #workRuns(handlers: JobHandlers): Promise<void> {
    const workerId: string = await this.#boss.work<{ exportId: string }>(
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
          await handlers.run({ jobId: job.id, exportId: job.data.exportId, signal: job.signal });
        } finally {
          // What came while this one ran is fetched at once, not at the next poll.
          this.#boss.notifyWorker(workerId);
        }
      },
    );
  }

  /** Takes no more jobs; those that run go on. */
  async pause(): Promise<void> {
    await Promise.all(Object.keys(QUEUES).map((name) => this.#boss.offWork(name, { wait: false })));
  }

  /** Waits for running handlers up to `timeoutMs`, then closes. */
  async close(timeoutMs: number): Promise<void> {
    await this.#boss.stop({ graceful: true, close: true, timeout: timeoutMs });
  }
}

/** pg-boss runs its statement on our connection, and so in our transaction. */
function inside(client: PoolClient): Db {
  return { executeSql: (text, values) => client.query(text, values) };
}
