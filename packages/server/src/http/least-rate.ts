/** Measures whether a peer is slower than the least rate. */

/** The least average rate of a peer, bytes a second. */
const LEAST_BYTES_PER_SECOND = 16_000;
/** Longest time that a peer may take nothing, ms. */
const PATIENCE_MS = 30_000;
/**
 * Bytes that a peer can be ahead of that rate. The system's buffers take megabytes at once and then
 * nothing until a good part of them is free again: measured, a peer that read 20 kB/s showed no progress
 * for 73 s and then 1.4 MB of it. What it took before must cover that pause.
 */
const MOST_AHEAD_BYTES = 1_000_000;

/**
 * Judges whether the peer of a connection takes what it is sent, by the bytes that the system has
 * accepted from us for it. Pure: times are given, in ms.
 */
export class LeastRate {
  /** Bytes that the peer is behind the least rate; negative: ahead. */
  #behind = 0;
  #at = 0;
  #accepted = 0;

  /** Begins, or begins again after a pause that is not counted. */
  resume(now: number, accepted: number): void {
    this.#at = now;
    this.#accepted = accepted;
  }

  /**
   * @param accepted bytes accepted since the connection began.
   * @param isWaiting whether bytes wait for the peer; time in which none do is ours, not the peer's.
   * @returns whether the peer is too slow.
   */
  isTooSlow(now: number, accepted: number, isWaiting: boolean): boolean {
    const owed = isWaiting ? (LEAST_BYTES_PER_SECOND * (now - this.#at)) / 1000 : 0;
    const taken = accepted - this.#accepted;
    this.#behind = Math.max(-MOST_AHEAD_BYTES, this.#behind + owed - taken);
    this.resume(now, accepted);
    return this.#behind > (LEAST_BYTES_PER_SECOND * PATIENCE_MS) / 1000;
  }
}
