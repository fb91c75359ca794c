const INTERVAL_MS = 500;

/**
 * Turns the position in the range into percent, and reports it twice a second: often enough for a
 * client to see it move, and the way in which an attempt learns that it is no longer the current one.
 */
export class ProgressReporter {
  #from: number;
  #to: number;
  readonly #report: (percent: number, objects: number) => Promise<boolean>;
  readonly #onSuperseded: () => void;
  readonly #timer: NodeJS.Timeout;
  #percent = 0;
  #objects = 0;
  #running: Promise<void> | null = null;

  /** @param report resolves with false when the attempt must stop. */
  constructor(
    { startTime, endTime }: { startTime: number; endTime: number },
    report: (percent: number, objects: number) => Promise<boolean>,
    onSuperseded: () => void,
  ) {
    this.#from = startTime;
    this.#to = endTime;
    this.#report = report;
    this.#onSuperseded = onSuperseded;
    this.#timer = setInterval(() => {
      this.#running ??= this.#tick().finally(() => {
        this.#running = null;
      });
    }, INTERVAL_MS);
  }

  /** Sets the positions between which the stream goes, where they are not the times of the range. */
  between(from: number, to: number): void {
    this.#from = from;
    this.#to = to;
  }

  /** The stream is ordered by position, so that of the last object tells how far it is. */
  at(position: number, objects: number): void {
    this.#objects = objects;
    const share = (position - this.#from) / Math.max(1, this.#to - this.#from);
    // Tombstones, which come last, begin anew.
    this.#percent = Math.max(this.#percent, Math.min(99, Math.floor(share * 100)));
  }

  async #tick(): Promise<void> {
    try {
      if (!(await this.#report(this.#percent, this.#objects))) this.#onSuperseded();
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
