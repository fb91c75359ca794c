const INTERVAL_MS = 500;

/**
 * Turns the position in the range into percent, and reports it twice a second: often enough for a
 * client to see it move, and the way in which an attempt learns that it is no longer the current one.
 */
export class ProgressReporter {
  readonly #range: { startTime: number; endTime: number };
  readonly #report: (percent: number) => Promise<boolean>;
  readonly #onSuperseded: () => void;
  readonly #timer: NodeJS.Timeout;
  #percent = 0;
  #running: Promise<void> | null = null;

  /** @param report resolves with false when the attempt must stop. */
  constructor(
    range: { startTime: number; endTime: number },
    report: (percent: number) => Promise<boolean>,
    onSuperseded: () => void,
  ) {
    this.#range = range;
    this.#report = report;
    this.#onSuperseded = onSuperseded;
    this.#timer = setInterval(() => {
      this.#running ??= this.#tick().finally(() => {
        this.#running = null;
      });
    }, INTERVAL_MS);
  }

  /** The stream is ordered by time, so the time of the last object tells how far it is. */
  at(createdTime: number): void {
    const { startTime, endTime } = this.#range;
    this.#percent = Math.min(
      99,
      Math.floor(((createdTime - startTime) / (endTime - startTime)) * 100),
    );
  }

  async #tick(): Promise<void> {
    try {
      if (!(await this.#report(this.#percent))) this.#onSuperseded();
    } catch {
      // A report that did not get through is not a reason to stop; completing decides.
    }
  }

  /** Ends the reports; none is under way any more once this resolves. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#running;
  }
}
