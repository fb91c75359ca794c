/** One thread that checks uploads, as the event loop calls it. */
import { Worker } from 'node:worker_threads';
import { BadBody, NoRoom, TooLarge } from './errors.ts';
import type { IntakeResult, IntakeTarget } from './intake.ts';
import type { Fault, FromThread, ToThread } from './messages.ts';

/** Chunks on their way to a thread; each is at most what a socket or a file gives at once. */
const MAX_IN_FLIGHT = 16;
/** Limit of a thread's JavaScript heap. Lines and blocks are outside of it; a thread at work has 5 MB. */
const HEAP_MB = 64;

/** The published package is compiled: beside this file lies `thread.js`, in a checkout `thread.ts`. */
const ENTRY = new URL(
  import.meta.url.endsWith('.ts') ? './thread.ts' : './thread.js',
  import.meta.url,
);

function toError({ name, message, code }: Fault): Error {
  if (name === 'BadBody') return new BadBody(message);
  if (name === 'TooLarge') return new TooLarge(message);
  return Object.assign(new Error(message), code === undefined ? {} : { code });
}

/** A thread that checks one upload at a time. One that failed, or was stopped, is not used again. */
export class CheckThread {
  readonly #worker: Worker;
  #isUsable = true;
  #inFlight = 0;
  /** Settles the promise that `run` waits for. */
  #resume: () => void = () => undefined;
  #stop: (reason: unknown) => void = () => undefined;
  #stopped: { reason: unknown } | null = null;
  #result: IntakeResult | null = null;
  #onSpooled: (bytes: number) => void = () => undefined;

  /** @param entry another one for tests of what a thread may do. */
  constructor(entry: URL = ENTRY) {
    this.#worker = new Worker(entry, {
      name: 'upload check',
      // The process's own options may not be valid for threads.
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB, maxYoungGenerationSizeMb: 8 },
    });
    this.#worker.on('message', (message: FromThread) => this.#hear(message));
    this.#worker.on('error', (cause) => this.#die(cause));
    this.#worker.on('exit', () => this.#die(new Error('the thread ended')));
    this.#worker.unref();
  }

  get isUsable(): boolean {
    return this.#isUsable;
  }

  /**
   * Checks an upload and writes its spool. The spool is not touched any more once this is over.
   * @param body raw bytes; read no faster than they are checked.
   * @param onSpooled is called with the spool's size as it grows, bytes.
   * @throws BadBody, TooLarge, NoRoom; what `body` throws; the signal's reason.
   */
  async run(
    target: IntakeTarget,
    body: AsyncIterable<Uint8Array>,
    onSpooled: (bytes: number) => void,
    signal: AbortSignal,
  ): Promise<IntakeResult> {
    signal.throwIfAborted();
    this.#stopped = null;
    this.#result = null;
    this.#inFlight = 0;
    this.#onSpooled = onSpooled;
    const onAbort = (): void => this.#interrupt(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    const chunks = body[Symbol.asyncIterator]();
    this.#worker.ref();
    try {
      this.#say({ kind: 'begin', target });
      for (;;) {
        const next = await this.#unlessStopped(chunks.next());
        if (next.done) break;
        // A copy: what a socket reads into is used again.
        const bytes = new Uint8Array(next.value);
        this.#inFlight++;
        this.#say({ kind: 'bytes', bytes }, [bytes.buffer]);
        if (this.#inFlight >= MAX_IN_FLIGHT)
          await this.#until(() => this.#inFlight < MAX_IN_FLIGHT);
      }
      this.#say({ kind: 'end' });
      await this.#until(() => this.#result !== null);
      return this.#result as unknown as IntakeResult;
    } catch (error) {
      // Not awaited: it would wait for the chunk that never comes.
      void chunks.return?.().catch(() => undefined);
      // Refused by the thread itself, it is ready for the next upload. Otherwise it is still at work.
      if (!(error instanceof Refused)) await this.close();
      throw error instanceof Refused ? error.cause : error;
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.#worker.unref();
    }
  }

  /** Ends the thread, whatever it does. */
  async close(): Promise<void> {
    this.#isUsable = false;
    await this.#worker.terminate();
  }

  #say(message: ToThread, transfer: ArrayBuffer[] = []): void {
    this.#worker.postMessage(message, transfer);
  }

  #hear(message: FromThread): void {
    switch (message.kind) {
      case 'taken':
        this.#inFlight--;
        this.#resume();
        return;
      case 'spooled':
        this.#onSpooled(message.bytes);
        return;
      case 'done':
        this.#result = message.result;
        this.#resume();
        return;
      case 'refused':
        this.#interrupt(new Refused(toError(message.fault)));
    }
  }

  #die(cause: Error): void {
    this.#isUsable = false;
    this.#interrupt(
      new NoRoom(
        'the upload could not be checked: its thread ran out of memory or ended; nothing of it was stored. Send it again, in smaller parts if it happens twice',
        10,
        { cause },
      ),
    );
  }

  #interrupt(reason: unknown): void {
    this.#stopped ??= { reason };
    this.#stop(this.#stopped.reason);
  }

  async #until(isMet: () => boolean): Promise<void> {
    while (!isMet()) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#resume = resolve;
      await this.#unlessStopped(promise);
    }
  }

  /** Waits, and gives up as soon as the upload is stopped. */
  #unlessStopped<T>(awaited: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#stop = reject;
      if (this.#stopped) reject(this.#stopped.reason as Error);
      awaited.then(resolve, reject);
    });
  }
}

/** The thread itself refused the upload, because of `cause`. */
class Refused extends Error {
  constructor(cause: Error) {
    super(cause.message, { cause });
  }
}
