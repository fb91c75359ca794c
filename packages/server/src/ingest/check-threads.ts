/** Keeps the threads that check uploads. */
import { CheckThread } from './check-thread.ts';
import type { IntakeResult, IntakeTarget } from './intake.ts';

/** Starting a thread costs 50 ms, keeping one 10 MB. */
const IDLE_MS = 10_000;

/** Threads that check uploads: as many as there are uploads at once, which the caller bounds. */
export class CheckThreads {
  readonly #idle = new Map<CheckThread, NodeJS.Timeout>();
  #isClosed = false;

  /** See `CheckThread.run`. */
  async check(
    target: IntakeTarget,
    body: AsyncIterable<Uint8Array>,
    onSpooled: (bytes: number) => void,
    signal: AbortSignal,
  ): Promise<IntakeResult> {
    const thread = this.#take();
    try {
      return await thread.run(target, body, onSpooled, signal);
    } finally {
      this.#giveBack(thread);
    }
  }

  /** Ends the threads that are idle; call once no upload is under way. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const threads = [...this.#idle.keys()];
    for (const timer of this.#idle.values()) clearTimeout(timer);
    this.#idle.clear();
    await Promise.all(threads.map((thread) => thread.close()));
  }

  #take(): CheckThread {
    for (const [thread, timer] of this.#idle) {
      clearTimeout(timer);
      this.#idle.delete(thread);
      if (thread.isUsable) return thread;
    }
    return new CheckThread();
  }

  #giveBack(thread: CheckThread): void {
    if (!thread.isUsable) return;
    const end = (): void => {
      this.#idle.delete(thread);
      void thread.close();
    };
    if (this.#isClosed) end();
    else this.#idle.set(thread, setTimeout(end, IDLE_MS).unref());
  }
}
