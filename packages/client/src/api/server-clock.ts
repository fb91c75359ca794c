/** Follows the server's clock by the `Date` of its answers. */
import type { IncomingHttpHeaders } from 'node:http';
import { findHeader } from '../http/headers.ts';

/** `Date` has whole seconds: within two of them the clocks agree. */
const TOLERANCE_MS = 2_000;

/** The server's clock, as its answers show it. Clocks differ; the server's decides what an export covers. */
export class ServerClock {
  #aheadMs = 0;

  /** Milliseconds by which the server's clock is ahead of ours; 0 within two seconds. */
  get aheadMs(): number {
    return this.#aheadMs;
  }

  /** The server's time, epoch ms; the local time until the server has answered. */
  now(): number {
    return Date.now() + this.#aheadMs;
  }

  /** Reads the headers of an answer that has just arrived. */
  update(headers: IncomingHttpHeaders): void {
    const sent = Date.parse(findHeader(headers, 'date') ?? '');
    // A cache says how many seconds ago the server sent it (RFC 9111, section 5.1).
    const age = findHeader(headers, 'age') ?? '0';
    if (Number.isNaN(sent) || !/^\d{1,9}$/.test(age)) return;
    const aheadMs = sent + 1000 * Number(age) - Date.now();
    this.#aheadMs = Math.abs(aheadMs) < TOLERANCE_MS ? 0 : aheadMs;
  }
}
