/** Limits how many lines are logged, and counts the rest. */

/** Number of lines at once, and number of lines a second after that. */
export interface LineRate {
  readonly burst: number;
  readonly perSecond: number;
}

/** A budget of log lines, and a count of those that did not fit in it. */
export class LineBudget {
  readonly #rate: LineRate;
  readonly #report: (omitted: number) => void;
  #lines: number;
  #filledAt = performance.now();
  #omitted = 0;
  #timer: NodeJS.Timeout | null = null;

  /** @param report writes how many lines were omitted; called at most once a second. */
  constructor(rate: LineRate, report: (omitted: number) => void) {
    this.#rate = rate;
    this.#report = report;
    this.#lines = rate.burst;
  }

  /** Tells whether a line may be written now. If not, it is counted and the count is reported later. */
  take(): boolean {
    this.#refill();
    if (this.#lines >= 1 && this.#omitted === 0) {
      this.#lines--;
      return true;
    }
    this.#omitted++;
    this.#timer ??= setTimeout(() => this.flush(), 1_000).unref();
    return false;
  }

  /** Reports what was omitted, if anything. */
  flush(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#omitted === 0) return;
    const omitted = this.#omitted;
    this.#omitted = 0;
    this.#refill();
    // The report is a line, too.
    this.#lines--;
    this.#report(omitted);
  }

  #refill(): void {
    const { burst, perSecond } = this.#rate;
    const now = performance.now();
    this.#lines = Math.min(burst, this.#lines + ((now - this.#filledAt) / 1_000) * perSecond);
    this.#filledAt = now;
  }
}
