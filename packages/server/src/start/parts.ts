import { Deadline } from '../deadline.ts';
import { oneLine } from '../errors.ts';
import type { Logger } from '../log.ts';

/** How long closing itself may take after the grace: handing back exports, ending connections. */
const CLOSE_MS = 3_000;

/** What is closed when the service stops. */
export interface Part {
  readonly name: string;
  /** Closes it. What still runs may continue until the deadline. */
  close(deadline: Deadline): Promise<void>;
  /** How long closing may take after the deadline, ms; 3 s unless told. */
  readonly withinMs?: number;
}

/** The parts of a running service, closed within one grace period. */
export class Parts {
  readonly #log: Logger;
  readonly #graceMs: number;
  #draining: Part[] = [];
  #standing: Part[] = [];

  /** @param graceMs how long running exports and requests may continue, all of them together. */
  constructor(log: Logger, graceMs: number) {
    this.#log = log;
    this.#graceMs = graceMs;
  }

  /** Adds a part that serves or works: told to finish first, and all of those at once. */
  addDraining(part: Part): void {
    this.#draining.push(part);
  }

  /** Adds a part on which others stand: closed after those, the newest first. */
  addStanding(part: Part): void {
    this.#standing.push(part);
  }

  /** Closes everything. Never throws; what cannot be closed in time is named in the log. */
  async stop(): Promise<void> {
    const deadline = new Deadline(this.#graceMs);
    await Promise.all(this.#draining.splice(0).map((part) => this.#close(part, deadline)));
    // Nothing is left that could make use of the rest of the grace.
    const now = new Deadline(0);
    for (const part of this.#standing.splice(0).toReversed()) await this.#close(part, now);
  }

  async #close(part: Part, deadline: Deadline): Promise<void> {
    const closing = part
      .close(deadline)
      .catch((error: unknown) =>
        this.#log.error({ part: part.name, error: oneLine(error) }, 'closing failed'),
      );
    // What hangs, such as a database that does not answer, does not keep the rest.
    const limit = new Deadline(deadline.remainingMs() + (part.withinMs ?? CLOSE_MS));
    if (!(await limit.waitFor(closing))) {
      this.#log.error({ part: part.name }, 'closing did not end in time');
    }
  }
}
