/** Calls the export API over HTTP: paced, tried again, with checked answers. */
import {
  MINUTE_MS,
  type Availability,
  type ExportList,
  type ExportObject,
  type ExportPreview,
  type ExportRequest,
  type ExportType,
} from '@tillroll/contract';
import { ExportError } from '../errors.ts';
import { readJson, readRefusal } from '../http/answer.ts';
import { RateLimiter } from '../http/rate-limiter.ts';
import { HttpSender, type HttpAnswer } from '../http/request.ts';
import {
  announceAndWait,
  backoffMs,
  RETRY_POLICY,
  sleep,
  withRetry,
  type RetryPolicy,
} from '../http/retry.ts';
import type { ApiRequest } from './api-request.ts';
import { parseConnection, type Connection } from './connection.ts';
import type {
  Access,
  CallOptions,
  ClientOptions,
  ListOptions,
  WaitOptions,
} from './call-options.ts';
import {
  exportFailedError,
  parseAvailability,
  parseExport,
  parseExportList,
  parsePreview,
} from './parse-answer.ts';
import { redirectError, refusalError } from './refusal.ts';
import { ServerClock } from './server-clock.ts';
import { cloverAvailability, findCloverRegion } from './regions.ts';

const ACCESS_BY_STATUS: Readonly<Record<number, Access>> = {
  400: 'granted',
  401: 'refused',
  403: 'refused',
  503: 'unknown',
};

const DEFAULT_TIMEOUT_MS = 12 * 60 * MINUTE_MS;
/** Existing clients poll every 0.25 s. A long job is polled less often. */
const POLL_MIN_MS = 250;
const POLL_MAX_MS = 5_000;
const POLL_GROWTH = 1.25;
/** A 503 that asks for a minute or less is about the number of open exports, a longer one about the hours. */
const BUSY_MS = MINUTE_MS;

/** The API's calls: requests paced and tried again, answers checked. */
export class ExportApi {
  readonly retry: RetryPolicy;
  readonly http: HttpSender;
  readonly clock = new ServerClock();
  readonly #connection: Connection;
  readonly #waits: boolean;
  readonly #timeoutMs: number;
  readonly #limiter = new RateLimiter();
  #hasAnswered = false;

  /** @throws ExportError USAGE */
  constructor(options: ClientOptions) {
    this.#connection = parseConnection(options);
    this.#waits = options.wait ?? true;
    this.#timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    this.retry = { ...RETRY_POLICY, ...options.retry };
    const { proxy = 'environment', onRequest } = options;
    this.http = new HttpSender(proxy, this.retry.silenceMs, onRequest);
  }

  /** The service and the merchant. */
  get source(): { url: string; merchant: string } {
    const { base, merchant } = this.#connection;
    return { url: base.href.replace(/\/$/, ''), merchant };
  }

  get base(): URL {
    return this.#connection.base;
  }

  /** Asks for an export. Waits while the service is closed or busy, for `retry.unavailableMs` at most. */
  async create(request: ExportRequest, call: CallOptions = {}): Promise<ExportObject> {
    const deadline = performance.now() + this.retry.unavailableMs;
    const body = JSON.stringify(request);
    // An answer may get lost on its way: the same key, sent again, makes no second export. Clover knows no keys.
    const key = findCloverRegion(this.base) ? {} : { idempotencyKey: crypto.randomUUID() };
    const post: ApiRequest = {
      method: 'POST',
      path: this.#path(),
      body,
      ...key,
      throwsUnavailable: true,
    };
    for (let attempt = 1; ; attempt++) {
      try {
        return parseExport(await this.#fetchJson(post, call));
      } catch (error) {
        if (!(error instanceof ExportError) || error.status !== 503) throw error;
        if (!this.#waits || performance.now() > deadline) throw error;
        await this.#waitUntilAccepting(error, attempt, call);
      }
    }
  }

  /** Waits after a 503: until the service opens, if that is known; otherwise as long as it asked for; otherwise by backing off. */
  async #waitUntilAccepting(
    refused: ExportError,
    attempt: number,
    call: CallOptions,
  ): Promise<void> {
    const { message, retryAfterMs: asked } = refused;
    const hours = await this.#findHours(call);
    const now = this.clock.now();
    const nextOpen = hours && !hours.open ? (hours.nextOpen ?? now) : now;
    // An opening time in the past says nothing.
    const untilOpen = nextOpen > now ? nextOpen - now : undefined;
    const isClosed = hours ? !hours.open : (asked ?? 0) > BUSY_MS;
    if (hours && !hours.open && hours.nextOpen === null)
      throw new ExportError('UNAVAILABLE', `${message}; it never opens`, { status: 503 });
    // By the local clock, because people read it.
    const opens = untilOpen === undefined ? null : Date.now() + untilOpen;
    const wait = isClosed ? (untilOpen ?? asked) : asked;
    const ms = wait === undefined ? backoffMs(attempt, this.retry) : Math.max(wait, 250);
    const { signal, onWaiting } = call;
    const reason = isClosed ? 'hours' : 'busy';
    await announceAndWait({ reason, ms, message, opens }, { signal, onWaiting });
  }

  /**
   * Tells whether the token may export a type. Creates no export: it asks for an empty range, which the
   * server refuses as a bad request (400) after it has checked the token (401): wire contract, errors.
   * @throws ExportError for any other refusal, and when the server cannot be reached.
   */
  async checkAccess(type: ExportType, call: CallOptions = {}): Promise<Access> {
    const now = Math.floor(this.clock.now());
    const body = JSON.stringify({ type, startTime: now, endTime: now });
    try {
      await this.#fetchJson(
        { method: 'POST', path: this.#path(), body, throwsUnavailable: true },
        call,
      );
      return 'granted';
    } catch (error) {
      const found = error instanceof ExportError && ACCESS_BY_STATUS[error.status ?? 0];
      if (!found) throw error;
      return found;
    }
  }

  /** Fetches the hours; undefined when the server does not tell them. */
  async #findHours(call: CallOptions): Promise<Availability | undefined> {
    return this.availability(call).catch((error: unknown) => {
      if (error instanceof ExportError && error.code === 'INTERRUPTED') throw error;
      return undefined;
    });
  }

  /** Reads an export. */
  async show(exportId: string, call: CallOptions = {}): Promise<ExportObject> {
    const path = this.#path(`/${encodeURIComponent(exportId)}`);
    const exported = parseExport(await this.#fetchJson({ method: 'GET', path }, call));
    if (exported.id !== exportId)
      throw new ExportError('PROTOCOL', `asked for export ${exportId}, got ${exported.id}`);
    return exported;
  }

  /** Cancels an open export, or deletes the files of one that is DONE. Tillroll only. */
  async delete(exportId: string, call: CallOptions = {}): Promise<ExportObject> {
    const path = this.#path(`/${encodeURIComponent(exportId)}`);
    return parseExport(await this.#fetchJson({ method: 'DELETE', path }, call));
  }

  /** Tells what an export would hold, without creating it. Tillroll only. */
  async previewExport(request: ExportRequest, call: CallOptions = {}): Promise<ExportPreview> {
    if (findCloverRegion(this.base))
      throw new ExportError('USAGE', 'Clover has no dry runs: it would create the export');
    const path = this.#path('?dryRun=true');
    const body = JSON.stringify(request);
    return parsePreview(await this.#fetchJson({ method: 'POST', path, body }, call));
  }

  /** Lists the exports that this install created, newest first. Tillroll only. */
  async list({ limit, offset, ...call }: ListOptions = {}): Promise<ExportList> {
    const query = new URLSearchParams();
    if (limit !== undefined) query.set('limit', String(limit));
    if (offset !== undefined) query.set('offset', String(offset));
    const path = this.#path(query.size > 0 ? `?${query.toString()}` : '');
    return parseExportList(await this.#fetchJson({ method: 'GET', path }, call));
  }

  /** Polls until an export is DONE. @throws ExportError EXPORT_FAILED when it ended otherwise, TIMEOUT, ... */
  async wait(exportId: string, options: WaitOptions = {}): Promise<ExportObject> {
    const { onProgress, timeoutMs = this.#timeoutMs, ...call } = options;
    const deadline = performance.now() + timeoutMs;
    for (let pause = POLL_MIN_MS; ; pause = Math.min(POLL_MAX_MS, pause * POLL_GROWTH)) {
      const exported = await this.show(exportId, call);
      const { status, percentComplete } = exported;
      onProgress?.(exported);
      if (status === 'DONE') return exported;
      if (status !== 'PENDING' && status !== 'IN_PROGRESS') throw exportFailedError(exported);
      const left = deadline - performance.now();
      if (left <= 0)
        throw new ExportError(
          'TIMEOUT',
          `export ${exportId} is still ${status} at ${percentComplete} % after ${timeoutMs / 1000} s`,
          { hint: 'Give it more time; the same command continues with this export' },
        );
      await sleep(Math.min(pause, left), call.signal);
    }
  }

  /** Tells whether exports can be created now. Asks Tillroll; for Clover its published hours are used. */
  async availability(call: CallOptions = {}): Promise<Availability> {
    const region = findCloverRegion(this.base);
    if (region === undefined) {
      const path = '/v3/availability';
      const get = { method: 'GET', path, isAuthorized: false, throwsUnavailable: true } as const;
      return parseAvailability(await this.#fetchJson(get, call));
    }
    const hours = cloverAvailability(region, this.clock.now());
    if (hours) return hours;
    throw new ExportError('NOT_FOUND', 'Clover publishes no hours for Latin America', {
      hint: 'Create an export: while it is closed it answers 503',
    });
  }

  async #fetchJson(request: ApiRequest, { signal, onWaiting }: CallOptions): Promise<unknown> {
    const { retry } = this;
    return withRetry(() => this.#limiter.run(signal, () => this.#fetchOnce(request, signal)), {
      retry,
      signal,
      onWaiting,
      attempts: () => (this.#hasAnswered ? retry.attempts : retry.firstAttempts),
      onRateLimited: () => this.#limiter.slowDown(),
      isExempt: ({ status }) => status === 503 && request.throwsUnavailable === true,
    });
  }

  async #fetchOnce(request: ApiRequest, signal: AbortSignal | undefined): Promise<unknown> {
    const { base, token } = this.#connection;
    const { method, path, body, idempotencyKey, isAuthorized = true } = request;
    const address = `${base.origin}${base.pathname.replace(/\/$/, '')}${path}`;
    const headers = {
      accept: 'application/json',
      'accept-encoding': 'gzip',
      ...(isAuthorized ? { authorization: `Bearer ${token}` } : {}),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
    };
    const post = body === undefined ? {} : { body };
    let answer: HttpAnswer | undefined;
    try {
      answer = await this.http.send(new URL(address), { method, headers, ...post }, signal);
      this.clock.update(answer.headers);
      const { status } = answer;
      if (status >= 300 && status < 400) throw redirectError(address, status, answer.headers);
      if (status < 500) this.#hasAnswered = true;
      if (status >= 400)
        throw refusalError(
          base.host,
          status,
          await readRefusal(answer),
          answer.headers,
          isAuthorized,
        );
      const json = await readJson(answer, address);
      this.#limiter.speedUp();
      return json;
    } catch (error) {
      // Without a status, the connection failed and there was no answer.
      if (!(error instanceof ExportError) || error.code !== 'NETWORK' || error.status !== undefined)
        throw error;
      throw new ExportError('NETWORK', `${base.origin} cannot be reached: ${error.message}`, {
        cause: error,
        hint: 'Check the address and the network; the same command continues where it stopped',
      });
    } finally {
      answer?.discard();
    }
  }

  #path(below = ''): string {
    return `/v3/merchants/${this.#connection.merchant}/exports${below}`;
  }
}
