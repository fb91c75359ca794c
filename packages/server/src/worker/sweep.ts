import { oneLine } from '../errors.ts';
import { handBack } from '../exports/attempts.ts';
import { idleExports, keptAttempt, markExpired, overdueExports } from '../exports/upkeep.ts';
import { attemptPrefix, exportPrefix } from '../storage/keys.ts';
import type { WorkerContext } from './run-export.ts';

/** An open export that nobody touched for so long is looked at: its job may be gone. */
const IDLE_MS = 60_000;

/** Deletes the files of an export whose time has come. Throws when it has not: the job is tried again. */
export async function expireExport(context: WorkerContext, exportId: string): Promise<void> {
  // The files go first: a crash in between leaves the mark unset, and the job is tried again.
  if ((await keptAttempt(context.pool, exportId)) !== null) throw new Error('not expired yet');
  await context.storage.removePrefix(exportPrefix(exportId));
  if (await markExpired(context.pool, exportId))
    context.log.info({ export: exportId }, 'export expired: files deleted');
}

/**
 * Puts right what crashes left behind: files that no export needs, expired exports whose job was
 * lost, open exports whose job was lost.
 */
export async function sweep(context: WorkerContext): Promise<void> {
  const { pool, queue, storage, log } = context;
  for await (const { exportId, attempt } of storage.listAttempts()) {
    if (context.shutdown.aborted) return;
    if ((await keptAttempt(pool, exportId)) === attempt) continue;
    await storage.removePrefix(attemptPrefix(exportId, attempt));
    log.info({ export: exportId, attempt }, 'sweep: removed files that no export needs');
  }
  for (const exportId of await overdueExports(pool)) {
    await expireExport(context, exportId);
  }
  for (const { id, attempt, jobId } of await idleExports(pool, IDLE_MS)) {
    if (await queue.isLive(jobId)) continue;
    const ending = await handBack(pool, queue, { exportId: id, number: attempt }, 'lost');
    log.warn({ export: id, attempt }, `sweep: an open export had no job: ${ending}`);
  }
}

/** A sweep that fails is logged and tried again by the queue. */
export async function sweepLogged(context: WorkerContext): Promise<void> {
  try {
    await sweep(context);
  } catch (error) {
    context.log.warn({ error: oneLine(error) }, 'sweep failed');
    throw error;
  }
}
