/** The interface of the job queue, as the life cycle needs it. */
import type { PoolClient } from '../database/pool.ts';

/** The id of the request that created an export, for the log; null where it is not known. */
export type RequestId = string | null;

/** The job that runs an export. */
export interface QueuedRun {
  jobId: string;
  exportId: string;
  requestId: RequestId;
  /** The export's place among those that wait, epoch milliseconds: the smallest is next. */
  turnTime: number;
  /** The time before a worker may take the job, ms. */
  delayMs: number;
}

/**
 * The queue of jobs. Every method runs inside the caller's transaction: an export
 * and its job are committed together or not at all.
 */
export interface ExportQueue {
  /** Workers take the jobs that wait in the order of their turns. */
  enqueueRun(client: PoolClient, job: QueuedRun): Promise<void>;
  /** @param at epoch milliseconds. */
  enqueueExpiry(
    client: PoolClient,
    job: { exportId: string; requestId: RequestId; at: number },
  ): Promise<void>;
}
