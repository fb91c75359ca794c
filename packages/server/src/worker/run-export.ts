/** Runs one export: from its claim to its files and its end. */
import type { Pool } from '../database/pool.ts';
import { oneLine } from '../errors.ts';
import { recordAttemptEnd, type Ending } from '../exports/attempt-end.ts';
import { claimExport, completeExport, reportProgress, type Attempt } from '../exports/attempts.ts';
import { readHead } from '../exports/changes.ts';
import type { ChangePoint, Cursors } from '../exports/cursor.ts';
import { recordStatement, type ExportStatement } from '../exports/running-statement.ts';
import { findRetainedAttempt } from '../exports/upkeep.ts';
import type { Logger } from '../log.ts';
import type { Observer } from '../observer.ts';
import type { BossQueue, RunJob } from '../queue/boss-queue.ts';
import type { RepeatedWarnings } from '../repeated-warnings.ts';
import { StorageError, writeFiles } from '../sink/write-files.ts';
import { readRows, type AcceptSnapshot, type Source } from '../source/rows.ts';
import { addUp, Totals } from '../source/totals.ts';
import { attemptPrefix, fileKey } from '../storage/keys.ts';
import type { Storage } from '../storage/storage.ts';
import { AttemptStopped, classify, type Cause } from './attempt-stop.ts';
import { endFormerStatement } from './end-statement.ts';
import { createFreshnessCheck } from './freshness.ts';
import { MeasuredRows, observeEnd, timeStep } from './observe.ts';
import { ProgressReporter } from './progress.ts';
import { whileThereIsRoom } from './room.ts';

export interface WorkerContext {
  readonly pool: Pool;
  readonly source: Source;
  readonly queue: BossQueue;
  readonly storage: Storage;
  readonly cursors: Cursors;
  readonly retentionMs: number;
  /** Time that tombstones are kept. */
  readonly tombstonesMs: number;
  /** Time that the records of exports are kept after their end. */
  readonly historyMs: number;
  /** Names this process among others: host and process. */
  readonly workerName: string;
  /** Milliseconds to wait after so many errors of an export. */
  readonly retryDelayMs: (errors: number) => number;
  /** @throws when the store is not there, is another one, or cannot be written. */
  readonly checkStore: () => Promise<void>;
  /** @throws when the store has too little room. */
  readonly checkRoom: () => Promise<void>;
  readonly log: Logger;
  readonly observer: Observer;
  /** Logs one line for each cause of failures that repeat until the cause is gone. */
  readonly warnings: Pick<RepeatedWarnings, 'warn'>;
  /** Aborts with `AttemptStopped` when the process must end: running exports are released. */
  readonly shutdown: AbortSignal;
}

/** Runs one export from its first row to its manifest, and decides what an interruption means. */
export async function runExport(context: WorkerContext, job: RunJob): Promise<void> {
  const { exportId, requestId, worker } = job;
  const { observer } = context;
  // The id under which the log has the request that asked for the export.
  const request = requestId !== null && { requestId };
  const claim = await timeStep(observer, 'claim', () =>
    claimExport(context.pool, job, `${context.workerName}/${worker}`),
  );
  if (claim === null) return;
  if ('failed' in claim) {
    const { number, takenOverFrom } = claim.failed;
    observeEnd(observer, 'failed', 'lost');
    context.log.error(
      { export: exportId, ...request, attempt: number, worker, takenOverFrom },
      'export failed: it was interrupted too many times',
    );
    return;
  }
  const { attempt } = claim;
  const log = context.log.child({
    merchant: attempt.merchantId,
    app: attempt.appId,
    export: attempt.exportId,
    ...request,
    attempt: attempt.number,
    worker,
  });
  const started = performance.now();
  const durationMs = (): number => Math.round(performance.now() - started);
  const { type, takenOverFrom } = attempt;
  log.info({ type, ...(takenOverFrom !== null && { takenOverFrom }) }, 'export started');
  try {
    await endFormerStatement(context, attempt.former, log);
    await removeEarlierAttempts(context.storage, attempt).catch((cause: unknown) => {
      // No reason to fail: nothing points to those files, and the sweep comes by.
      log.warn({ error: oneLine(cause) }, 'files of an earlier attempt could not be removed');
    });
    const totals = await attemptExport(context, attempt, job.signal, log);
    observer.attemptEnded('done', 'none');
    log.info({ ...totals, durationMs: durationMs() }, 'export done');
  } catch (error) {
    const end = classify(error);
    const ending = await recordOutcome(context, attempt, end).catch((cause: unknown) => {
      observeEnd(observer, 'unrecorded', end);
      // The job is tried again later, and that attempt takes over from this one.
      log.warn(
        { error: oneLine(error), unrecorded: oneLine(cause), durationMs: durationMs() },
        'export attempt ended: unrecorded',
      );
      throw cause;
    });
    await removeUnlessKept(context, attempt).catch((cause: unknown) => {
      // The sweep removes it later.
      log.warn({ error: oneLine(cause) }, 'files of an ended attempt could not be removed');
    });
    observeEnd(observer, ending, end);
    const level = ending === 'failed' ? 'error' : 'warn';
    log[level](
      { error: oneLine(error), durationMs: durationMs() },
      `export attempt ended: ${ending}`,
    );
  }
}

async function removeEarlierAttempts(storage: Storage, attempt: Attempt): Promise<void> {
  for (let number = attempt.number - 1; number >= 1; number--) {
    await storage.removePrefix(attemptPrefix(attempt.exportId, number));
  }
}

/** A link that broke during COMMIT leaves open whether it held: the database is asked before files go. */
async function removeUnlessKept(context: WorkerContext, attempt: Attempt): Promise<void> {
  if ((await findRetainedAttempt(context.pool, attempt.exportId)) === attempt.number) return;
  await context.storage.removePrefix(attemptPrefix(attempt.exportId, attempt.number));
}

async function attemptExport(
  context: WorkerContext,
  attempt: Attempt,
  jobSignal: AbortSignal,
  log: Logger,
): Promise<{ files: number; objects: number; bytes: number }> {
  const { pool, source, queue, storage, observer, cursors } = context;
  let statement: ExportStatement | null = null;
  const checkFreshness = createFreshnessCheck(pool, attempt);
  let snapshotTime: number | null = null;
  let head: ChangePoint | null = null;
  const accept: AcceptSnapshot = async (client, { backend, time }) => {
    const fault = source.isSeparate ? await checkFreshness(client) : null;
    if (fault !== null) return fault;
    snapshotTime = time;
    if (attempt.sinceNumber !== null) {
      head = await readHead(client, attempt);
      progress.between(Math.max(0, attempt.sinceNumber), head.number + 1);
    }
    if (!(await recordStatement(pool, attempt, backend))) throw new AttemptStopped('superseded');
    statement = { exportId: attempt.exportId, backend };
    return null;
  };
  const stop = new AbortController();
  const onJobLost = (): void => stop.abort(new AttemptStopped('lost'));
  jobSignal.addEventListener('abort', onJobLost, { once: true });
  const signal = AbortSignal.any([context.shutdown, stop.signal]);
  const progress = new ProgressReporter(
    attempt,
    (percent, objects) => reportProgress(pool, attempt, percent, objects),
    () => stop.abort(new AttemptStopped('superseded')),
  );
  try {
    await checkStore(context);
    const checkRoom = (): Promise<void> => asStorageError(context.checkRoom());
    await checkRoom();
    const rows = new MeasuredRows(readRows(source, attempt, signal, accept), observer);
    const totals = new Totals(attempt.type);
    const { exportId, number, format } = attempt;
    const files = await writeFiles(
      whileThereIsRoom(addUp(rows, totals), checkRoom),
      attempt,
      (position, content) =>
        storage.write(fileKey(exportId, number, position, format), content, signal),
      (position, objects) => progress.at(position, objects),
    ).finally(() => rows.end());
    signal.throwIfAborted();
    const until = await timeStep(observer, 'commit', async () => {
      if (files.length > 0) await syncDirectories(storage, attempt);
      // A mount that came or went meanwhile took the files with it.
      await checkStore(context);
      await progress.stop();
      const cursor = head && cursors.encode(attempt, head);
      const findings = { totals: totals.toJson(), snapshotTime, cursor };
      return completeExport(pool, queue, attempt, files, findings, context.retentionMs);
    });
    if (until === null) throw new AttemptStopped('superseded');
    return {
      files: files.length,
      objects: files.reduce((sum, file) => sum + file.objects, 0),
      bytes: files.reduce((sum, file) => sum + file.bytes, 0),
    };
  } catch (error) {
    await endFormerStatement(context, statement, log);
    // Whatever broke after an abort broke because of it.
    throw signal.aborted ? signal.reason : error;
  } finally {
    await progress.stop();
    jobSignal.removeEventListener('abort', onJobLost);
  }
}

async function syncDirectories(storage: Storage, attempt: Attempt): Promise<void> {
  await storage
    .syncDirectories(attemptPrefix(attempt.exportId, attempt.number))
    .catch((cause: unknown) => {
      throw new StorageError('the files could not be made durable', { cause });
    });
}

function checkStore(context: WorkerContext): Promise<void> {
  return asStorageError(context.checkStore());
}

async function asStorageError(check: Promise<void>): Promise<void> {
  await check.catch((cause: unknown) => {
    throw new StorageError('the store of the files cannot be used', { cause });
  });
}

/**
 * Records in the database how the attempt ended. When the database cannot be reached either, the error
 * passes on to the queue, which gives the job to a worker again; the take-over then counts the interruption.
 */
async function recordOutcome(
  { pool, queue, retryDelayMs }: WorkerContext,
  attempt: Attempt,
  cause: Cause,
): Promise<Ending> {
  if (cause === 'superseded') return 'superseded';
  return recordAttemptEnd(pool, queue, attempt, cause, retryDelayMs);
}
