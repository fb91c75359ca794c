/** Expires exports, and repairs what crashes left behind. */
import { forgetDeadProcesses } from '../database/processes.ts';
import { oneLine } from '../errors.ts';
import { recordAttemptEnd } from '../exports/attempt-end.ts';
import { dropOldChanges } from '../exports/changes.ts';
import { forgetKeys } from '../exports/idempotency.ts';
import type { RequestId } from '../exports/queue.ts';
import { leftStatements } from '../exports/running-statement.ts';
import {
  forgetExport,
  forgettableExports,
  idleExports,
  findRetainedAttempt,
  markExpired,
  overdueExports,
} from '../exports/upkeep.ts';
import { attemptPrefix, exportPrefix } from '../storage/keys.ts';
import { endFormerStatement } from './end-statement.ts';
import { observeEnd } from './observe.ts';
import type { WorkerContext } from './run-export.ts';

/** An open export that nobody touched for so long is looked at: its job may be gone. */
const IDLE_MS = 60_000;
/** Batches of a hundred old exports that one sweep forgets; the next sweep comes in ten minutes. */
const MAX_FORGET_BATCHES = 50;

/** Deletes the files of an export whose time has come. Throws when it has not: the job is tried again. */
export async function expireExport(
  context: WorkerContext,
  exportId: string,
  requestId: RequestId = null,
): Promise<void> {
  // The files go first: a crash in between leaves the mark unset, and the job is tried again.
  if ((await findRetainedAttempt(context.pool, exportId)) !== null)
    throw new Error('not expired yet');
  // In a store that is not mounted, removing would succeed and the files would stay forever.
  await context.checkStore();
  await context.storage.removePrefix(exportPrefix(exportId));
  if (await markExpired(context.pool, exportId))
    context.log.info(
      { export: exportId, ...(requestId !== null && { requestId }) },
      'export expired: files deleted',
    );
}

/**
 * Puts right what crashes left behind: open exports whose job was lost, expired exports whose job was
 * lost, statements of exports that nobody runs, files that no export needs; and forgets processes that died and
 * exports that ended long ago. What fails for one does not keep the others waiting.
 * @throws the first failure, once all was tried; the queue tries the sweep again.
 */
export async function sweep(context: WorkerContext): Promise<void> {
  const { pool, queue, storage, log } = context;
  const failures: unknown[] = [];
  const attemptTo = async (what: string, work: () => Promise<void>): Promise<void> => {
    if (context.shutdown.aborted) return;
    await work().catch((error: unknown) => {
      log.warn({ error: oneLine(error) }, `sweep: ${what} failed`);
      failures.push(error);
    });
  };
  for (const { id, attempt, jobId } of await idleExports(pool, IDLE_MS)) {
    await attemptTo(`reviving export ${id}`, async () => {
      if ((await queue.findRun(jobId)) !== null) return;
      // Which request it came from went with its job.
      const lost = { exportId: id, number: attempt, requestId: null };
      const ending = await recordAttemptEnd(pool, queue, lost, 'lost');
      observeEnd(context.observer, ending, 'lost');
      const level = ending === 'failed' ? 'error' : 'warn';
      log[level]({ export: id, attempt }, `sweep: an open export had no job: ${ending}`);
    });
  }
  for (const statement of await leftStatements(pool)) {
    await attemptTo(`ending a statement of export ${statement.exportId}`, () =>
      endFormerStatement(context, statement, log),
    );
  }
  await attemptTo('forgetting old deletions', async () => {
    const dropped = await dropOldChanges(pool, context.tombstonesMs);
    if (dropped > 0) log.info({ deletions: dropped }, 'sweep: forgot old deletions');
  });
  await attemptTo('forgetting old idempotency keys', () => forgetKeys(pool));
  await attemptTo('forgetting dead processes', async () => {
    await forgetDeadProcesses(pool);
  });
  await attemptTo('using the store of the files', () => sweepStore());
  if (failures.length > 0) throw failures[0];

  async function sweepStore(): Promise<void> {
    await context.checkStore();
    for (const exportId of await overdueExports(pool)) {
      await attemptTo(`expiring export ${exportId}`, () => expireExport(context, exportId));
    }
    for await (const { exportId, attempt } of storage.listAttempts()) {
      await attemptTo(`removing files of export ${exportId}`, async () => {
        if ((await findRetainedAttempt(pool, exportId)) === attempt) return;
        await storage.removePrefix(attemptPrefix(exportId, attempt));
        log.info({ export: exportId, attempt }, 'sweep: removed files that no export needs');
      });
    }
    await attemptTo('forgetting old exports', () => forgetOldExports(context));
  }
}

/** Deletes the records of exports that ended longer ago than the history is kept, files first. */
async function forgetOldExports(context: WorkerContext): Promise<void> {
  const { pool, storage, log, historyMs, shutdown } = context;
  let forgotten = 0;
  for (let batch = 0; batch < MAX_FORGET_BATCHES && !shutdown.aborted; batch++) {
    const ids = await forgettableExports(pool, historyMs);
    for (const exportId of ids) {
      await storage.removePrefix(exportPrefix(exportId));
      await forgetExport(pool, exportId);
    }
    forgotten += ids.length;
    if (ids.length === 0) break;
  }
  if (forgotten > 0) log.info({ exports: forgotten }, 'sweep: forgot exports that ended long ago');
}
