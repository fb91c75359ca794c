/** The running parts of the service, which are closed within one grace period. */
import { Deadline } from '../deadline.ts';
import { oneLine } from '../errors.ts';
import type { Logger } from '../log.ts';

/** Longest time for closing itself, all of it together: releasing exports, ending connections. */
const CLOSE_MS = 3_000;

/** A part of the service, closed when it stops. */
export interface Part {
  readonly name: string;
  /** Closes it. What still runs may continue until the deadline. */
  close(deadline: Deadline): Promise<void>;
  /** Longest time for closing, ms, after the grace; unless given, all such parts have 3 s together. */
  readonly withinMs?: number;
}

/** The parts of a running service, closed within one grace period. */
export class Parts {
  readonly #log: Logger;
  #draining: Part[] = [];
  #standing: Part[] = [];

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Adds a part that serves or works: told to finish first, and all of those at once. */
  addDraining(part: Part): void {
    this.#draining.push(part);
  }

  /** Adds a part on which others stand: closed after those, the newest first. */
  addStanding(part: Part): void {
    this.#standing.push(part);
  }

  /**
   * Closes everything. Never throws; what cannot be closed in time is named in the log.
   * @param graceMs how long running exports and requests may continue, all of them together.
   */
  async stop(graceMs: number): Promise<void> {
    const deadline = new Deadline(graceMs);
    await Promise.all(
      this.#draining.splice(0).map((part) => {
        const limit = new Deadline(graceMs + (part.withinMs ?? CLOSE_MS));
        return this.#close(part, deadline, limit);
      }),
    );
    // Nothing is left that could make use of the rest of the grace.
    const now = new Deadline(0);
    const closed = new Deadline(CLOSE_MS);
    for (const part of this.#standing.splice(0).toReversed()) {
      const limit = part.withinMs === undefined ? closed : new Deadline(part.withinMs);
      await this.#close(part, now, limit);
    }
  }

  /** @param limit after which the part is left: what hangs does not keep the rest. */
  async #close(part: Part, deadline: Deadline, limit: Deadline): Promise<void> {
    const closing = part
      .close(deadline)
      .catch((error: unknown) =>
        this.#log.error({ part: part.name, error: oneLine(error) }, 'closing failed'),
      );
    if (!(await limit.waitFor(closing))) {
      this.#log.error({ part: part.name }, 'closing did not end in time');
    }
  }
}
