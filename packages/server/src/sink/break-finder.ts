/** Finds line breaks in objects that lie one behind another in the same memory. */

const BREAKS = [0x0a, 0x0d] as const;

/**
 * Finds the next line break at or after a position, for positions that only grow in a buffer: each byte is looked at
 * once, however many objects there are. A string of JSON holds none, so each stands between two tokens.
 */
export class BreakFinder {
  #data: Buffer | null = null;
  readonly #next = [0, 0];

  /** The position of the first break in `data[start..end)`, or -1. */
  find(data: Buffer, start: number, end: number): number {
    if (this.#data !== data) {
      this.#data = data;
      this.#next.fill(-1);
    }
    let first = end;
    for (const [n, code] of BREAKS.entries()) {
      let at = this.#next[n] ?? -1;
      if (at < start) {
        const found = data.indexOf(code, start);
        at = this.#next[n] = found < 0 ? data.length : found;
      }
      if (at < first) first = at;
    }
    return first < end ? first : -1;
  }
}
