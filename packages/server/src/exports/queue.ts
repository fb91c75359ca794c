import type { PoolClient } from '../database/pool.ts';

/**
 * The queue as the life cycle needs it. Every method runs inside the caller's transaction: an export
 * and its job are committed together or not at all.
 */
export interface ExportQueue {
  /** @param delayMs how long the job waits before a worker may take it. */
  enqueueRun(
    client: PoolClient,
    job: { jobId: string; exportId: string; delayMs: number },
  ): Promise<void>;
  /** @param at epoch milliseconds. */
  enqueueExpiry(client: PoolClient, job: { exportId: string; at: number }): Promise<void>;
}
