/** Runs the worker of `all` as a child process. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setPriority } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Deadline } from '../deadline.ts';
import type { Logger } from '../log.ts';
import type { Family } from '../metrics/registry.ts';
import type { RepeatedWarnings } from '../repeated-warnings.ts';
import type { FromWorker, ToWorker } from '../worker-channel.ts';

const BIN = fileURLToPath(new URL('../../bin/tillroll-server.js', import.meta.url));

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;
/** A worker that ran for so long did not fail at its start: the next pause is the first one again. */
const STEADY_MS = 60_000;
/** Measured on two busy cores: a poll beside two exports takes 1.4 to 1.7 times as long as at rest, without it 2.3 to 3. */
const NICE = 10;
/** Longest time from the exit of a process to the last of its messages. */
const LAST_MESSAGE_MS = 500;
/** Longest time that the worker needs once its grace is over: to release exports, to close, to exit. */
const CLOSE_MS = 8_000;
/** The same with the time to kill it. */
export const CLOSE_WORKER_MS = CLOSE_MS + 1_000;

/**
 * The worker of `all`: the same program as `work`, with the same settings, in a process of its own. Its compression
 * would share libuv's threads with downloads, and its rows the event loop with requests. Its log goes to the same
 * stderr. It is started again, with pauses that grow, for as long as this process runs, and it ends with this process,
 * however that ends: the channel between the two breaks.
 */
export class WorkerProcess {
  readonly #log: Logger;
  readonly #warnings: Pick<RepeatedWarnings, 'warn'>;
  readonly #stopping = new AbortController();
  readonly #started = Promise.withResolvers<void>();
  readonly #running: Promise<void>;
  #child: ChildProcess | null = null;
  #hasBegun = false;
  #isReady = false;

  /** Starts the process, which loads its code while this one opens the database. */
  constructor(log: Logger, warnings: Pick<RepeatedWarnings, 'warn'>) {
    this.#log = log;
    this.#warnings = warnings;
    // The caller may fail before it waits for the worker.
    this.#started.promise.catch(() => undefined);
    this.#running = this.#keepRunning();
  }

  /** Lets the worker open the database, whose schema is up to date, and the store. */
  begin(): void {
    this.#hasBegun = true;
    this.#send({ kind: 'begin' });
  }

  /** Asks the worker for its metrics. @returns null while it does not answer. */
  async readMetrics(): Promise<Family[] | null> {
    const { collectFrom } = await import('../metrics/channel.ts');
    return this.#child && collectFrom(this.#child);
  }

  /** Waits until the worker takes jobs. @throws when it ended before; the signal's reason. */
  async untilReady(signal: AbortSignal): Promise<void> {
    const onAbort = (): void => this.#started.reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    await this.#started.promise.finally(() => signal.removeEventListener('abort', onAbort));
  }

  /** Tells the worker to stop and waits for its end. After the deadline and the time to close, it is killed. */
  async stop(deadline: Deadline): Promise<void> {
    this.#stopping.abort();
    this.#send({ kind: 'stop' });
    const limit = new Deadline(deadline.remainingMs() + CLOSE_MS);
    if (await limit.waitFor(this.#running)) return;
    this.#log.error('the worker process did not stop in time: killed');
    this.#child?.kill('SIGKILL');
    await this.#running;
  }

  async #keepRunning(): Promise<void> {
    const { signal } = this.#stopping;
    let pause = FIRST_PAUSE_MS;
    while (!signal.aborted) {
      const before = performance.now();
      const reason = await this.#runOnce();
      if (signal.aborted) return;
      if (!this.#isReady) {
        this.#started.reject(new Error(`the worker did not start: ${reason}`));
        return;
      }
      this.#warnings.warn('the worker process ended and is started again', reason);
      if (performance.now() - before > STEADY_MS) pause = FIRST_PAUSE_MS;
      await delay(pause, undefined, { signal }).catch(() => undefined);
      pause = Math.min(2 * pause, LONGEST_PAUSE_MS);
    }
  }

  /** Runs one process to its end. @returns why it ended. */
  async #runOnce(): Promise<string> {
    const child = fork(BIN, ['work', '--child'], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    this.#child = child;
    yieldToRequests(child);
    if (this.#hasBegun) this.#send({ kind: 'begin' });
    let failure: string | null = null;
    child.on('message', (message: FromWorker) => {
      if (message.kind === 'failed') failure = message.reason;
      else if (message.kind === 'ready') {
        this.#isReady = true;
        this.#started.resolve();
      }
    });
    const disconnected = once(child, 'disconnect');
    try {
      const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
      // Its last message may still be on the way.
      await new Deadline(LAST_MESSAGE_MS).waitFor(disconnected);
      return failure ?? (signal === null ? `exit code ${code}` : `killed by ${signal}`);
    } catch (error) {
      // `once` rejects with the error of a process that could not be started.
      disconnected.catch(() => undefined);
      return error instanceof Error ? error.message : String(error);
    } finally {
      this.#child = null;
    }
  }

  #send(message: ToWorker): void {
    // An error means that it has just ended.
    if (this.#child?.connected) this.#child.send(message, () => undefined);
  }
}

/** Lets requests go first where both want the processor. Threads that the process starts later inherit it. */
function yieldToRequests({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    setPriority(pid, NICE);
  } catch {
    // It has ended already, or this system has no priorities.
  }
}
