/** Limits the requests of tokens and apps (wire contract, "Rate limits"). */
import { TOO_MANY_REQUESTS_BODY } from '@tillroll/contract';
import type { FastifyRequest } from 'fastify';
import type { Principal } from '../access/installs.ts';
import type { RateLimitSettings } from '../config/parsers.ts';
import { HttpError } from './errors.ts';

const WINDOW_MS = 1_000;
const RETRY_AFTER_S = '1';
/** Keys that were not used for a window are forgotten when there are more of them than so many. */
const KEPT_KEYS = 10_000;

/** The requests of one token, or one app: of the last second, and under way now. */
class Usage {
  /** Moments of its requests in the last second, oldest first. */
  readonly #moments: number[] = [];
  atOnce = 0;

  countSince(moment: number): number {
    while ((this.#moments[0] ?? Infinity) <= moment) this.#moments.shift();
    return this.#moments.length;
  }

  add(moment: number): void {
    this.#moments.push(moment);
    this.atOnce++;
  }

  isIdle(moment: number): boolean {
    return this.atOnce === 0 && this.countSince(moment) === 0;
  }
}

/** A limit with the header that names it. */
interface Limit {
  readonly header: string;
  readonly max: number;
  readonly isReached: (usage: Usage, since: number, max: number) => boolean;
}

const isTooFast: Limit['isReached'] = (usage, since, max) => usage.countSince(since) >= max;
const isTooWide: Limit['isReached'] = (usage, _since, max) => usage.atOnce >= max;

/**
 * Counts the requests of each token and each app, over a sliding second and at the same time. A token is that of a
 * merchant and an app, whatever its text. Each of several processes takes its share of a limit.
 */
export class RateLimits {
  readonly #ofToken: readonly Limit[];
  readonly #ofApp: readonly Limit[];
  readonly #processes: () => number;
  readonly #now: () => number;
  readonly #usages = new Map<string, Usage>();

  /** @param processes how many processes answer requests now. @param now a clock in milliseconds that never goes back. */
  constructor(
    { token, app }: RateLimitSettings,
    processes: () => number,
    now: () => number = () => performance.now(),
  ) {
    this.#ofToken = [
      { header: 'X-RateLimit-tokenLimit', max: token.perSecond, isReached: isTooFast },
      { header: 'X-RateLimit-tokenConcurrentLimit', max: token.atOnce, isReached: isTooWide },
    ];
    this.#ofApp = [
      { header: 'X-RateLimit-crossTokenLimit', max: app.perSecond, isReached: isTooFast },
      { header: 'X-RateLimit-crossTokenConcurrentLimit', max: app.atOnce, isReached: isTooWide },
    ];
    this.#processes = processes;
    this.#now = now;
  }

  /**
   * Counts a request that has been authenticated.
   * @returns what ends its count among those at the same time; calling it again does nothing.
   * @throws 429; a request that is refused does not count.
   */
  admit({ merchantId, appId }: Pick<Principal, 'merchantId' | 'appId'>): () => void {
    const now = this.#now();
    const token = this.#find(`${merchantId}/${appId}`, now);
    const app = this.#find(appId, now);
    this.#refuse(token, this.#ofToken, now);
    this.#refuse(app, this.#ofApp, now);
    for (const usage of [token, app]) usage.add(now);
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      for (const usage of [token, app]) usage.atOnce--;
    };
  }

  #refuse(usage: Usage, limits: readonly Limit[], now: number): void {
    for (const { header, max, isReached } of limits) {
      const share = Math.ceil(max / Math.max(1, this.#processes()));
      if (isReached(usage, now - WINDOW_MS, share))
        throw new HttpError(429, TOO_MANY_REQUESTS_BODY, {
          [header]: String(max),
          'retry-after': RETRY_AFTER_S,
        });
    }
  }

  #find(key: string, now: number): Usage {
    let usage = this.#usages.get(key);
    if (!usage) {
      if (this.#usages.size >= KEPT_KEYS) this.#forgetIdle(now);
      usage = new Usage();
      this.#usages.set(key, usage);
    }
    return usage;
  }

  #forgetIdle(now: number): void {
    for (const [key, usage] of this.#usages)
      if (usage.isIdle(now - WINDOW_MS)) this.#usages.delete(key);
  }
}

/** Counts a request once, until it is answered. @throws 429 */
export function countRequest(
  limits: RateLimits | null,
  request: FastifyRequest,
  principal: Principal,
): void {
  if (limits === null || request.stopCounting !== null) return;
  const stop = limits.admit(principal);
  request.stopCounting = stop;
  request.response?.once('close', stop);
}
