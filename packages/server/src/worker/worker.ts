/** Starts a worker, which takes jobs from the queue. */
import type { Deadline } from '../deadline.ts';
import { AttemptStopped } from './attempt-stop.ts';
import { runExport, type WorkerContext } from './run-export.ts';
import { expireExport, sweep } from './sweep.ts';

/** A worker that takes jobs until it is stopped. */
export interface Worker {
  /** Takes no more jobs; lets running exports finish until the deadline, then releases them. */
  stop(deadline: Deadline): Promise<void>;
}

export async function startWorker(
  context: Omit<WorkerContext, 'shutdown'>,
  concurrency: number,
): Promise<Worker> {
  const shutdown = new AbortController();
  const running = new Set<Promise<void>>();
  const full: WorkerContext = { ...context, shutdown: shutdown.signal };
  const track = (work: Promise<void>): Promise<void> => {
    running.add(work);
    return work.finally(() => running.delete(work));
  };
  await context.queue.work(
    {
      run: (job) => track(runExport(full, job)),
      expire: ({ exportId, requestId }) =>
        track(
          expireExport(full, exportId, requestId).catch((error: unknown) => {
            // The queue tries it again, every half a minute.
            context.warnings.warn('files of an expired export could not be removed', error);
            throw error;
          }),
        ),
      sweep: () => track(sweep(full)),
    },
    concurrency,
  );
  return {
    async stop(deadline) {
      await context.queue.pause();
      const ended = Promise.allSettled(running);
      await deadline.waitFor(ended);
      shutdown.abort(new AttemptStopped('shutdown'));
      await ended;
    },
  };
}
