/** Starts the assembling thread and calls it. */
import { Worker } from 'node:worker_threads';
import { ExportError } from '../errors.ts';
import { interruptedError } from '../http/retry.ts';
import { unpackError, type Answer, type CallName, type Calls } from './messages.ts';

/** A call that was not answered yet. */
interface Pending {
  resolve: (output: never) => void;
  reject: (error: Error) => void;
}

/** The worker thread, seen from the main thread. It keeps the process alive only while a call is pending. */
export class AssemblyThread {
  // Resolved as a package's entry: bundled code finds the worker as well.
  readonly #worker = new Worker(new URL(import.meta.resolve('@tillroll/client/assemble-worker')), {
    // Options of the main thread, such as --eval, are not meant for it.
    execArgv: [],
  });
  readonly #pending = new Map<number, Pending>();
  #calls = 0;
  #failure: Error | undefined;

  constructor() {
    this.#worker.unref();
    this.#worker.on('message', (answer: Answer) => this.#receive(answer));
    this.#worker.on('messageerror', (error) => this.#fail(error));
    this.#worker.on('error', (error) => this.#fail(error));
    this.#worker.on('exit', (code) => this.#fail(new Error(`it exited with ${code}`)));
  }

  /** Tells whether the thread has ended: every call is rejected. */
  get hasEnded(): boolean {
    return this.#failure !== undefined;
  }

  /** Calls the worker. @throws ExportError; errors of the file system as they are. */
  async call<Name extends CallName>(
    name: Name,
    input: Calls[Name]['input'],
  ): Promise<Calls[Name]['output']> {
    if (this.#failure) throw this.#failure;
    const id = ++this.#calls;
    const { promise, resolve, reject } = Promise.withResolvers<Calls[Name]['output']>();
    this.#pending.set(id, { resolve, reject });
    this.#worker.ref();
    this.#worker.postMessage({ id, name, input });
    return promise;
  }

  #receive(answer: Answer): void {
    const pending = this.#pending.get(answer.id);
    this.#pending.delete(answer.id);
    if (this.#pending.size === 0) this.#worker.unref();
    if ('error' in answer) pending?.reject(unpackError(answer.error));
    else pending?.resolve(answer.output as never);
  }

  #fail(cause: unknown): void {
    const reason = cause instanceof Error ? cause.message : String(cause);
    this.#end(
      new ExportError('DISK', `the thread that assembles files failed: ${reason}`, {
        hint: 'Run the same command again; give it more memory if it ran out of it',
        cause,
      }),
    );
  }

  #end(failure: Error): void {
    this.#failure ??= failure;
    for (const { reject } of this.#pending.values()) reject(this.#failure);
    this.#pending.clear();
    this.#worker.unref();
  }

  /** Ends the thread at once. Pending calls are rejected with INTERRUPTED. */
  async terminate(): Promise<void> {
    this.#end(interruptedError());
    await this.#worker.terminate();
  }
}
