import {
  EXPORT_STATUSES,
  EXPORT_TYPES,
  MAX_TIME_MS,
  MINUTE_MS,
  type Availability,
  type ExportList,
  type ExportObject,
  type ExportRequest,
  type Order,
  type Payment,
} from '@tillroll/contract';
import { connect, type Connection, type ConnectionOptions } from './connection.ts';
import { ExportError } from './errors.ts';
import { backoffMs, RETRY_POLICY, sleep, type RetryPolicy } from './http/backoff.ts';
import { Transport, type Waiting } from './http/transport.ts';
import { iterateObjects, type IterateOptions } from './iterate.ts';
import { cloverAvailability, cloverRegion } from './regions.ts';
import type { PullOptions, PullResult } from './files/pull-types.ts';

export interface ClientOptions extends ConnectionOptions {
  /** False: what would have to wait for the service to take it (503) fails at once, as UNAVAILABLE. */
  wait?: boolean | undefined;
  /** How long one export may take from being accepted to DONE, in ms. Default 12 hours. */
  timeoutMs?: number | undefined;
  /** Told whenever nothing moves. */
  onWaiting?: ((waiting: Waiting) => void) | undefined;
  /** Bounds of what is tried again. */
  retry?: Partial<RetryPolicy> | undefined;
}

export interface CallOptions {
  signal?: AbortSignal | undefined;
}

export interface WaitOptions extends CallOptions {
  /** Told of each reading. */
  onProgress?: ((exported: ExportObject) => void) | undefined;
  /** Overrides the client's. */
  timeoutMs?: number | undefined;
}

export interface ListOptions extends CallOptions {
  limit?: number | undefined;
  offset?: number | undefined;
}

const DEFAULT_TIMEOUT_MS = 12 * 60 * MINUTE_MS;
/** Existing clients poll every 0.25 s; nothing is gained by asking a long job so often. */
const POLL_MIN_MS = 250;
const POLL_MAX_MS = 5_000;
const POLL_GROWTH = 1.25;
/** A 503 of a minute or less is about the number of open exports, a longer one about the hours. */
const BUSY_MS = MINUTE_MS;

/**
 * Creates, follows and downloads exports of one merchant, from Tillroll or from Clover. Every method
 * throws ExportError; its `code` says what kind, its `hint` what to do.
 */
export class ExportClient {
  readonly transport: Transport;
  readonly #connection: Connection;
  readonly #waits: boolean;
  readonly #timeoutMs: number;
  #onWaiting: ((waiting: Waiting) => void) | undefined;

  constructor(options: ClientOptions) {
    this.#connection = connect(options);
    this.#waits = options.wait ?? true;
    this.#timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    this.#onWaiting = options.onWaiting;
    this.transport = new Transport({
      connection: this.#connection,
      retry: { ...RETRY_POLICY, ...options.retry },
      onWaiting: (waiting) => this.#onWaiting?.(waiting),
    });
  }

  /** Where this client asks. */
  get source(): { url: string; merchant: string } {
    const { base, merchant } = this.#connection;
    return { url: base.href.replace(/\/$/, ''), merchant };
  }

  /** Tells `listener` of waits from now on. @returns what was told before, to be put back. */
  listen(
    listener: ((waiting: Waiting) => void) | undefined,
  ): ((waiting: Waiting) => void) | undefined {
    const before = this.#onWaiting;
    this.#onWaiting = listener;
    return before;
  }

  /**
   * Asks for an export. Waits while the service is closed or has too many open, for at most three days,
   * unless the client was made with `wait: false`.
   */
  async create(request: ExportRequest, { signal }: CallOptions = {}): Promise<ExportObject> {
    const { retry } = this.transport;
    const givesUpAt = performance.now() + retry.unavailableMs;
    for (let attempt = 1; ; attempt++) {
      try {
        const call = {
          method: 'POST',
          path: this.#path(),
          body: JSON.stringify(request),
          throwsUnavailable: true,
          signal,
        } as const;
        return checkedExport(await this.transport.json(call));
      } catch (error) {
        if (!(error instanceof ExportError) || error.status !== 503) throw error;
        if (!this.#waits || performance.now() > givesUpAt) throw error;
        await this.#sitOut(error, attempt, signal);
      }
    }
  }

  /** Waits after a 503: until it opens where that is known, else as asked, else by backing off. */
  async #sitOut(
    refused: ExportError,
    attempt: number,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const hours = await this.#hours(signal);
    const now = this.transport.now();
    const asked = refused.retryAfterMs;
    const nextOpen = hours && !hours.open ? (hours.nextOpen ?? now) : now;
    // One that is past tells nothing.
    const untilOpen = nextOpen > now ? nextOpen - now : undefined;
    const isClosed = hours ? !hours.open : (asked ?? 0) > BUSY_MS;
    if (hours && !hours.open && hours.nextOpen === null)
      throw new ExportError('UNAVAILABLE', `${refused.message}; it never opens`, { status: 503 });
    // By our own clock, for people.
    const opens = untilOpen === undefined ? null : Date.now() + untilOpen;
    // An answer that asks for less than the hours do is about a limit.
    const wait = isClosed ? (untilOpen ?? asked) : asked;
    const backoff = backoffMs(attempt, this.transport.retry);
    await this.transport.wait(
      isClosed ? 'hours' : 'busy',
      wait === undefined ? backoff : Math.max(wait, 250),
      refused.message,
      signal,
      opens,
    );
  }

  /** The hours where they can be known without guessing. */
  async #hours(signal: AbortSignal | undefined): Promise<Availability | undefined> {
    return this.availability({ signal }).catch((error: unknown) => {
      if (error instanceof ExportError && error.code === 'INTERRUPTED') throw error;
      return undefined;
    });
  }

  /** Reads an export. */
  async show(exportId: string, { signal }: CallOptions = {}): Promise<ExportObject> {
    const path = this.#path(`/${encodeURIComponent(exportId)}`);
    const exported = checkedExport(await this.transport.json({ method: 'GET', path, signal }));
    if (exported.id !== exportId)
      throw new ExportError('PROTOCOL', `asked for export ${exportId}, got ${exported.id}`);
    return exported;
  }

  /** The exports that this install created, newest first. Tillroll only. */
  async list({ limit, offset, signal }: ListOptions = {}): Promise<ExportList> {
    const query = new URLSearchParams();
    if (limit !== undefined) query.set('limit', String(limit));
    if (offset !== undefined) query.set('offset', String(offset));
    const path = this.#path(query.size > 0 ? `?${query.toString()}` : '');
    const list = await this.transport.json({ method: 'GET', path, signal });
    const elements = (list as Partial<ExportList> | null)?.elements;
    if (!Array.isArray(elements))
      throw new ExportError('PROTOCOL', 'the list of exports holds no elements', {
        hint: 'Listing is an addition of Tillroll; Clover documents none',
      });
    return { ...(list as ExportList), elements: elements.map(checkedExport) };
  }

  /** Polls until the export is DONE. @throws ExportError EXPORT_FAILED when it ended otherwise, TIMEOUT. */
  async wait(exportId: string, options: WaitOptions = {}): Promise<ExportObject> {
    const { signal, onProgress, timeoutMs = this.#timeoutMs } = options;
    const givesUpAt = performance.now() + timeoutMs;
    for (let pause = POLL_MIN_MS; ; pause = Math.min(POLL_MAX_MS, pause * POLL_GROWTH)) {
      const exported = await this.show(exportId, { signal });
      onProgress?.(exported);
      if (exported.status === 'DONE') return exported;
      if (exported.status !== 'PENDING' && exported.status !== 'IN_PROGRESS') throw ended(exported);
      const left = givesUpAt - performance.now();
      if (left <= 0)
        throw new ExportError(
          'TIMEOUT',
          `export ${exportId} is still ${exported.status} at ${exported.percentComplete} % after ${timeoutMs / 1000} s`,
          { hint: 'Give it more time; the same command takes this export up again' },
        );
      await sleep(Math.min(pause, left), signal);
    }
  }

  /** Whether exports can be created now. Tillroll is asked; for Clover its published hours are taken. */
  async availability({ signal }: CallOptions = {}): Promise<Availability> {
    const region = cloverRegion(this.#connection.base);
    if (region === undefined) {
      const call = { method: 'GET', path: '/v3/availability', authorized: false } as const;
      // Nobody waits for hours to be told when to wait.
      return checkedAvailability(
        await this.transport.json({ ...call, signal, throwsUnavailable: true }),
      );
    }
    const hours = cloverAvailability(region, this.transport.now());
    if (!hours)
      throw new ExportError('NOT_FOUND', 'Clover publishes no hours for Latin America', {
        hint: 'Create an export: where it is closed it answers 503',
      });
    return hours;
  }

  /** The orders of any span, each once, by `createdTime` and `id` where the far side orders them so. */
  orders(options: IterateOptions): AsyncGenerator<Order, void, void> {
    return iterateObjects<Order>(this, 'ORDERS', options);
  }

  /** The payments of any span, each once. */
  payments(options: IterateOptions): AsyncGenerator<Payment, void, void> {
    return iterateObjects<Payment>(this, 'PAYMENTS', options);
  }

  /** Fetches a span into a directory of files, resumable, with a receipt. */
  async pull(options: PullOptions): Promise<PullResult> {
    const { pull } = await import('./files/pull.ts');
    return pull(this, options);
  }

  #path(below = ''): string {
    return `/v3/merchants/${this.#connection.merchant}/exports${below}`;
  }
}

function ended({ id, status, failure }: ExportObject): ExportError {
  const why = failure ? `: ${failure.code}: ${failure.message}` : '';
  return new ExportError('EXPORT_FAILED', `export ${id} ended as ${status}${why}`);
}

/** It becomes part of an address, where `.` and `..` would lead elsewhere. */
const EXPORT_ID_TEXT = /^(?!\.{1,2}$)[\w.-]{1,128}$/;

/** The far side is not trusted: what the rest relies on is looked at once. @throws ExportError PROTOCOL */
function checkedExport(json: unknown): ExportObject {
  const exported = json as Partial<ExportObject> | null;
  const urls = exported?.exportUrls?.elements;
  const files = exported?.files?.elements;
  const isOne =
    typeof exported === 'object' &&
    exported !== null &&
    typeof exported.id === 'string' &&
    EXPORT_ID_TEXT.test(exported.id) &&
    (EXPORT_STATUSES as readonly unknown[]).includes(exported.status) &&
    (EXPORT_TYPES as readonly unknown[]).includes(exported.type) &&
    (exported.exportUrls === undefined ||
      (Array.isArray(urls) && urls.every((file) => typeof file?.url === 'string'))) &&
    (exported.files === undefined || (Array.isArray(files) && files.every(isPromise)));
  if (!isOne)
    throw new ExportError(
      'PROTOCOL',
      `the answer is no export: ${JSON.stringify(json)?.slice(0, 120)}`,
      {
        hint: 'Is this the address of an export API?',
      },
    );
  return exported as ExportObject;
}

/** Times that are none would become waits that are none. @throws ExportError PROTOCOL */
function checkedAvailability(json: unknown): Availability {
  const hours = json as Partial<Availability> | null;
  const isTime = (time: unknown): boolean =>
    time === null || (Number.isSafeInteger(time) && Math.abs(time as number) <= MAX_TIME_MS);
  const isOne =
    typeof hours === 'object' &&
    hours !== null &&
    typeof hours.open === 'boolean' &&
    typeof hours.hours === 'string' &&
    isTime(hours.nextOpen) &&
    isTime(hours.nextClose);
  if (!isOne) throw new ExportError('PROTOCOL', 'the answer does not tell the hours');
  return hours as Availability;
}

function isPromise(file: { objects?: unknown; bytes?: unknown; sha256?: unknown } | null): boolean {
  return (
    Number.isSafeInteger(file?.objects) &&
    Number.isSafeInteger(file?.bytes) &&
    typeof file?.sha256 === 'string' &&
    /^[0-9a-f]{64}$/.test(file.sha256)
  );
}
