/** Assembles months in the worker thread, as the main thread calls it. */
import { abortable, throwIfAborted } from '../http/retry.ts';
import type {
  AddedPart,
  AssembledFile,
  AssemblyJob,
  IndexedLines,
  PartInput,
  SharedId,
} from './job.ts';
import { AssemblyThread } from './thread.ts';

/** One month's file in the making. End it with `finish` or `abort`. */
export interface AssemblySession {
  /**
   * Adds the next part.
   * @throws ExportError BAD_FILE: nothing of the part is kept, and it may be added again. After any other error,
   * which may be one of the system, only `abort` is left.
   */
  add(part: PartInput): Promise<AddedPart>;
  /** @throws ExportError DUPLICATE_ID when one export holds an id twice; DISK; INTERRUPTED; system errors. */
  finish(): Promise<AssembledFile>;
  /** Removes what was written. Never throws; does nothing after `finish`. */
  abort(): Promise<void>;
}

/** Assembles the files of months in one worker thread, one month at a time. Dispose of it at the end. */
export class Assembler implements AsyncDisposable {
  #thread: AssemblyThread | undefined;
  /** Settles when no session is open. */
  #turn: Promise<void> = Promise.resolve();
  readonly #disposal = new AbortController();

  /** Starts the thread in advance. */
  start(): void {
    this.#ensureThread();
  }

  /**
   * Begins a month's file, after the session before has ended.
   * @throws ExportError DIRECTORY when the existing file was altered; INTERRUPTED; system errors.
   */
  async begin(job: AssemblyJob): Promise<AssemblySession> {
    const ended = Promise.withResolvers<void>();
    const turn = this.#turn;
    this.#turn = turn.then(() => ended.promise);
    try {
      await abortable(turn, this.#disposal.signal);
      const session = new Session(this.#ensureThread(), ended.resolve);
      await session.begin(job);
      return session;
    } catch (error) {
      ended.resolve();
      throw error;
    }
  }

  /** Finds the ids that are in both files. Can be called while a session is open, between its calls. */
  async findShared(a: IndexedLines, b: IndexedLines): Promise<SharedId[]> {
    return this.#ensureThread().call('findShared', { a, b });
  }

  #ensureThread(): AssemblyThread {
    throwIfAborted(this.#disposal.signal);
    if (this.#thread?.hasEnded !== false) this.#thread = new AssemblyThread();
    return this.#thread;
  }

  /** Ends the thread at once: calls that wait are rejected with INTERRUPTED. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposal.abort();
    await this.#thread?.terminate();
  }
}

class Session implements AssemblySession {
  readonly #thread: AssemblyThread;
  readonly #release: () => void;
  /** Read by the worker while it works. */
  readonly #aborted = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  #isOpen = true;

  constructor(thread: AssemblyThread, release: () => void) {
    this.#thread = thread;
    this.#release = release;
  }

  async begin(job: AssemblyJob): Promise<void> {
    try {
      await this.#thread.call('begin', { job, aborted: this.#aborted });
    } catch (error) {
      await this.abort();
      throw error;
    }
  }

  async add(part: PartInput): Promise<AddedPart> {
    return this.#thread.call('add', part);
  }

  async finish(): Promise<AssembledFile> {
    try {
      const file = await this.#thread.call('finish', undefined);
      this.#close();
      return file;
    } finally {
      await this.abort();
    }
  }

  async abort(): Promise<void> {
    if (!this.#isOpen) return;
    Atomics.store(this.#aborted, 0, 1);
    // A thread that has ended has left nothing open.
    await this.#thread.call('abort', undefined).catch(() => undefined);
    this.#close();
  }

  #close(): void {
    this.#isOpen = false;
    this.#release();
  }
}
