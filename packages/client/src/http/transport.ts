import type { Connection } from '../connection.ts';
import { ExportError } from '../errors.ts';
import { jsonOf, refusalText } from './answer.ts';
import { backoffMs, sleep, type RetryPolicy } from './backoff.ts';
import { exchange, networkError } from './fetch.ts';
import { Pace } from './pace.ts';
import { retryAfterMs } from './retry-after.ts';

/** Waits longer than this are cut into pieces, and the far side is asked again in between. */
const LONGEST_WAIT_MS = 3_600_000;

export type WaitReason = 'hours' | 'busy' | 'rate' | 'retry';

/** Why nothing moves just now. Times are epoch ms by the local clock. */
export interface Waiting {
  /** `hours`: closed now. `busy`: too many open exports. `rate`: 429. `retry`: a fault that may pass. */
  reason: WaitReason;
  /** When it goes on. */
  until: number;
  /** When the far side opens, where that is known. */
  opens: number | null;
  message: string;
}

export interface TransportOptions {
  connection: Connection;
  retry: RetryPolicy;
  onWaiting: (waiting: Waiting) => void;
}

interface Call {
  method: 'GET' | 'POST';
  /** Below the connection's address. */
  path: string;
  body?: string;
  signal: AbortSignal | undefined;
  /** Whether the token goes along. */
  authorized?: boolean;
  /** Whether to wait after a 503 is the caller's question. Else it is tried again, as any 5xx. */
  throwsUnavailable?: boolean;
}

/** Requests to the API: paced, tried again where that can help, refused in typed errors. */
export class Transport {
  readonly connection: Connection;
  readonly retry: RetryPolicy;
  readonly #onWaiting: (waiting: Waiting) => void;
  readonly #pace = new Pace();
  #hasAnswered = false;
  #clockAheadMs = 0;

  constructor({ connection, retry, onWaiting }: TransportOptions) {
    this.connection = connection;
    this.retry = retry;
    this.#onWaiting = onWaiting;
  }

  /** The far side's clock, epoch ms: as its last answer told it, else our own. */
  now(): number {
    return Date.now() + this.#clockAheadMs;
  }

  /**
   * One call, and its JSON.
   * @throws ExportError: UNAVAILABLE, UNAUTHORIZED, NOT_FOUND, REFUSED, NETWORK, PROTOCOL, INTERRUPTED.
   */
  async json(call: Call): Promise<unknown> {
    let limited = 0;
    for (let attempt = 1; ; attempt++) {
      const outcome = await this.#once(call);
      if (!(outcome instanceof ExportError)) return outcome.json;
      const { status, retryAfterMs: asked } = outcome;
      if (status === 429) {
        this.#pace.slower();
        if (++limited >= this.retry.rateLimited) throw outcome;
        attempt--;
        await this.wait(
          'rate',
          asked ?? backoffMs(limited, this.retry),
          outcome.message,
          call.signal,
        );
        continue;
      }
      const mayPass = outcome.code === 'NETWORK' || (status !== undefined && status >= 500);
      if (!mayPass || (status === 503 && call.throwsUnavailable)) throw outcome;
      const attempts = this.#hasAnswered ? this.retry.attempts : this.retry.firstAttempts;
      if (attempt >= attempts) throw outcome;
      await this.wait(
        'retry',
        Math.max(asked ?? 0, backoffMs(attempt, this.retry)),
        outcome.message,
        call.signal,
      );
    }
  }

  /** Waits, and says so. @param ms cut to an hour. */
  async wait(
    reason: WaitReason,
    ms: number,
    message: string,
    signal: AbortSignal | undefined,
    opens: number | null = null,
  ): Promise<void> {
    const bounded = Math.min(LONGEST_WAIT_MS, Math.max(0, ms));
    this.#onWaiting({ reason, until: Date.now() + bounded, opens, message });
    await sleep(bounded, signal);
  }

  async #once(call: Call): Promise<{ json: unknown } | ExportError> {
    const { base, token } = this.connection;
    const address = `${base.origin}${base.pathname.replace(/\/$/, '')}${call.path}`;
    const headers: Record<string, string> = { accept: 'application/json' };
    if (call.authorized !== false) headers['authorization'] = `Bearer ${token}`;
    if (call.body !== undefined) headers['content-type'] = 'application/json';
    const init = {
      method: call.method,
      headers,
      ...(call.body === undefined ? {} : { body: call.body }),
    };
    try {
      return await this.#pace.take(call.signal, async () => {
        const { response, end } = await exchange(address, init, call.signal, this.retry.silenceMs);
        try {
          this.#noteClock(response.headers);
          if (!response.ok) return await this.#refusal(response, address);
          const json = await jsonOf(response, address);
          this.#hasAnswered = true;
          this.#pace.faster();
          return { json };
        } finally {
          end();
        }
      });
    } catch (error) {
      const failed = networkError(error, call.signal);
      if (failed.code !== 'NETWORK') throw failed;
      return new ExportError('NETWORK', `${base.origin} cannot be reached: ${failed.message}`, {
        cause: error,
        hint: 'Check the address and the network; the same command goes on where it stopped',
      });
    }
  }

  /** Clocks differ; which of them is wrong does not matter, the far side's decides. */
  #noteClock(headers: Headers): void {
    const sent = Date.parse(headers.get('date') ?? '');
    if (Number.isNaN(sent)) return;
    // `Date` has whole seconds: within two of them the clocks agree.
    const ahead = sent - Date.now();
    this.#clockAheadMs = Math.abs(ahead) < 2_000 ? 0 : ahead;
  }

  async #refusal(response: Response, address: string): Promise<ExportError> {
    const { status } = response;
    if (status >= 300 && status < 400) {
      const to = response.headers.get('location') ?? 'nowhere';
      return new ExportError('PROTOCOL', `${address} redirects to ${to.slice(0, 200)}`, {
        status,
        hint: 'The token is not sent there; if that is the service, give its address as url',
      });
    }
    if (status < 500) this.#hasAnswered = true;
    const said = await refusalText(response);
    const asked = retryAfterMs(response.headers, Date.now());
    const about = REFUSALS[status] ?? (status < 500 ? REFUSED : SERVER_FAULT);
    return new ExportError(about.code, `${this.connection.base.host} answered ${said}`, {
      status,
      retryAfterMs: asked,
      hint: about.hint,
    });
  }
}

type Refusal = Pick<ExportError, 'code'> & { hint?: string };

const REFUSED: Refusal = { code: 'REFUSED' };
const SERVER_FAULT: Refusal = {
  code: 'NETWORK',
  hint: 'The fault is on their side; try again later',
};
const REFUSALS: Readonly<Record<number, Refusal>> = {
  401: {
    code: 'UNAUTHORIZED',
    hint: 'Check that the token is whole, is for this merchant, and has the permission to read this type',
  },
  404: { code: 'NOT_FOUND', hint: 'Check the id, the merchant and the address' },
  408: SERVER_FAULT,
  429: {
    code: 'UNAVAILABLE',
    hint: 'Too many requests with this token; let other programs finish first',
  },
  503: { code: 'UNAVAILABLE', hint: 'Try again later' },
};
