/** Logs a warning that repeats once, and then counts it. */
import { oneLine } from './errors.ts';
import type { Logger } from './log.ts';

const WINDOW_MS = 60_000;
/** More causes than that at once are not told apart by their text: they are logged as they come. */
const MAX_CAUSES = 100;

interface Cause {
  message: string;
  error: string;
  /** Times since the last line about it. */
  count: number;
  timer: NodeJS.Timeout;
}

/**
 * Logs warnings that come in floods, such as those of every poll of a database that is down: the first
 * of a cause at once, then one line a minute with how often it came again.
 */
export class RepeatedWarnings {
  readonly #log: Logger;
  readonly #windowMs: number;
  readonly #causes = new Map<string, Cause>();
  constructor(log: Logger, windowMs = WINDOW_MS) {
    this.#log = log;
    this.#windowMs = windowMs;
  }

  warn(message: string, cause: unknown): void {
    const error = oneLine(cause);
    const key = `${message}\n${error}`;
    const known = this.#causes.get(key);
    if (known) {
      known.count++;
      return;
    }
    this.#log.warn({ error }, message);
    if (this.#causes.size >= MAX_CAUSES) return;
    const timer = setInterval(() => this.#tell(key), this.#windowMs).unref();
    this.#causes.set(key, { message, error, count: 0, timer });
  }

  /** Logs what has been counted and not yet told; for the end of the process. */
  flush(): void {
    for (const key of this.#causes.keys()) {
      this.#tell(key);
      this.#forget(key);
    }
  }

  #tell(key: string): void {
    const cause = this.#causes.get(key);
    // A cause that has not come again for a whole window is over: next time it is news.
    if (!cause || cause.count === 0) return this.#forget(key);
    this.#log.warn({ error: cause.error, times: cause.count }, `${cause.message} (repeated)`);
    cause.count = 0;
  }

  #forget(key: string): void {
    clearInterval(this.#causes.get(key)?.timer);
    this.#causes.delete(key);
  }
}
