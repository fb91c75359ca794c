/** The channel between `all` and its worker, a child process. */
/** The messages of `all` to the worker that it started as a child process: database and store are there, or: stop. */
export interface ToWorker {
  readonly kind: 'begin' | 'stop';
}

/** The messages of that worker to `all`. */
export type FromWorker =
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly reason: string };

/** The `all` that started this worker has died. */
export class ParentGone extends Error {
  override name = 'ParentGone';
}

/** The `all` that started this process. */
export interface Parent {
  /** Waits for its word that database and store are there. @throws the reason to stop. */
  untilBegin(): Promise<void>;
  report(message: FromWorker): Promise<void>;
  /** Closes the channel, which would keep this process. */
  leave(): void;
}

/**
 * Ties this process, a worker, to the `all` that started it. It stops in order when `all` says so, or at a signal,
 * however often that comes: a terminal sends Ctrl-C to both, and only `all` decides that a second one means "at once".
 * When `all` is gone, however it ended, it stops with `ParentGone`; a process that is stopping then ends at once.
 * @param stopping aborted when this process must stop. Replaces the handlers of SIGINT and SIGTERM.
 */
export function followParent(stopping: AbortController): Parent {
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.removeAllListeners(name);
    process.on(name, () => stopping.abort(new Error(name)));
  }
  const begun = Promise.withResolvers<void>();
  begun.promise.catch(() => undefined);
  stopping.signal.addEventListener('abort', () => begun.reject(stopping.signal.reason));
  process.on('message', ({ kind }: ToWorker) => {
    if (kind === 'begin') begun.resolve();
    else if (kind === 'stop') stopping.abort(new Error(kind));
  });
  const onGone = (): void => {
    if (stopping.signal.aborted) process.exit(1);
    stopping.abort(new ParentGone('the process that started this worker is gone'));
  };
  process.on('disconnect', onGone);
  return {
    untilBegin: () => begun.promise,
    report: (message) =>
      new Promise((resolve) => {
        // A parent that is gone needs no report.
        if (process.connected) process.send?.(message, undefined, undefined, () => resolve());
        else resolve();
      }),
    leave() {
      process.off('disconnect', onGone);
      if (process.connected) process.disconnect();
    },
  };
}
