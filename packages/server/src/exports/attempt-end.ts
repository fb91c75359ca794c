/** Records how an attempt ended, and whether its export is tried again. */
import { randomUUID } from 'node:crypto';
import type { FailureCode } from '@tillroll/contract';
import type { Pool } from '../database/pool.ts';
import { inTransaction } from '../database/transaction.ts';
import type { Attempt } from './attempts.ts';
import {
  interruptionDelayMs,
  MAX_ERRORS,
  MAX_INTERRUPTIONS,
  MAX_PERMANENT_ERRORS,
  retryDelayMs,
} from './lifecycle.ts';
import type { ExportQueue } from './queue.ts';
import * as sql from './sql.ts';

/** An error of the export itself. */
export interface Fault {
  code: FailureCode;
  /** Another try meets the same error, unless the objects themselves change. */
  isPermanent: boolean;
  /** The error in one line, for the operator. */
  details: string;
}

/** The end of an attempt through no fault of the export: this process stops, or a link, a job or a worker was lost. */
export type Interruption = 'shutdown' | 'lost';

/** The state of the export afterwards. `superseded`: the attempt was no longer the current one, and nothing changed. */
export type Ending = 'will be retried' | 'failed' | 'superseded';

/** Counts the ends of one kind, and says what follows from the count. */
interface Rule {
  /** Adds one to the count of the export and returns it to PENDING. $1 id, $2 attempt, $3 next job, and `values`. */
  statement: string;
  values: readonly unknown[];
  /** Ends of this kind after which the export is FAILED. */
  limit: number;
  code: FailureCode;
  /** Milliseconds before the next try. @param count ends of this kind so far, from 1. */
  delayMs: (count: number) => number;
}

/**
 * Records that an attempt ended without a manifest: the export is tried again, or FAILED when no tries are left.
 * @param errorDelayMs milliseconds to wait after so many faults; tests shorten it.
 */
export async function recordAttemptEnd(
  pool: Pool,
  queue: ExportQueue,
  attempt: Pick<Attempt, 'exportId' | 'number' | 'requestId'>,
  end: Fault | Interruption,
  errorDelayMs: (errors: number) => number = retryDelayMs,
): Promise<Ending> {
  const { exportId, number, requestId } = attempt;
  const { statement, values, limit, code, delayMs } = chooseRule(end, errorDelayMs);
  return inTransaction(pool, async (client) => {
    const jobId = randomUUID();
    const { rows } = await client.query<{ count: number; turnTime: number }>(statement, [
      exportId,
      number,
      jobId,
      ...values,
    ]);
    const [row] = rows;
    if (!row) return 'superseded';
    if (row.count >= limit) {
      await client.query(sql.fail, [exportId, number, code]);
      return 'failed';
    }
    const { count, turnTime } = row;
    const job = { jobId, exportId, requestId, turnTime, delayMs: delayMs(count) };
    await queue.enqueueRun(client, job);
    return 'will be retried';
  });
}

function chooseRule(end: Fault | Interruption, errorDelayMs: (errors: number) => number): Rule {
  if (typeof end !== 'string') {
    const limit = end.isPermanent ? MAX_PERMANENT_ERRORS : MAX_ERRORS;
    const values = [end.code, end.details];
    return { statement: sql.retry, values, limit, code: end.code, delayMs: errorDelayMs };
  }
  return {
    statement: sql.release,
    values: [],
    limit: MAX_INTERRUPTIONS + 1,
    code: 'WORKER_LOST',
    // After a shutdown another process may take the export at once.
    delayMs: end === 'shutdown' ? () => 0 : interruptionDelayMs,
  };
}
