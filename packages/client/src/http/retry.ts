/** The one retry loop, with its policy and its waits. */
import { setTimeout as delay } from 'node:timers/promises';
import { ERRORS, ExportError } from '../errors.ts';

/** Bounds of everything that is tried again. Times in ms. */
export interface RetryPolicy {
  /** Tries of one request, or of one file, that gets no answer, an incomplete one, or a 5xx. */
  attempts: number;
  /** The same while the server has never answered at all: a wrong address should be reported soon. */
  firstAttempts: number;
  baseMs: number;
  capMs: number;
  /** 429 in a row for one request. */
  rateLimited: number;
  /** Longest time that a create may be refused with 503. */
  unavailableMs: number;
  /** Tries of one file whose content does not match. */
  badFile: number;
  /** Exports created in place of one that FAILED, was forgotten, or lost its files. */
  exports: number;
  /** Longest silence of a server: until its headers, and between two chunks. */
  silenceMs: number;
}

/** Outlasts an outage of five minutes, and a region that is closed for two days. */
export const RETRY_POLICY: Readonly<RetryPolicy> = Object.freeze({
  attempts: 18,
  firstAttempts: 4,
  baseMs: 500,
  capMs: 60_000,
  rateLimited: 100,
  unavailableMs: 72 * 3_600_000,
  badFile: 3,
  exports: 3,
  silenceMs: 60_000,
});

/** `hours`: closed now. `busy`: too many open exports. `rate`: 429. `retry`: a transient fault. `lock`: another process. */
export type WaitReason = 'hours' | 'busy' | 'rate' | 'retry' | 'lock';

/** The reason why nothing moves at the moment. Times are epoch ms by the local clock. */
export interface Waiting {
  reason: WaitReason;
  /** The time at which the work continues. */
  until: number;
  /** The time at which the service opens; null when that is not known. */
  opens: number | null;
  message: string;
}
export type OnWaiting = (waiting: Waiting) => void;

/** Longer waits are cut, and the server is asked again in between. */
const LONGEST_WAIT_MS = 3_600_000;

export interface RetryContext {
  retry: RetryPolicy;
  signal: AbortSignal | undefined;
  onWaiting: OnWaiting | undefined;
}

export interface RetryOptions extends RetryContext {
  /** Tries without progress; asked after each failure. */
  attempts: () => number;
  /** Called after each failure. True when the try came further than all before it, which resets the budget. */
  hasProgressed?: () => boolean;
  /** Called at each 429. */
  onRateLimited?: () => void;
  /** True for a failure that is thrown at once, because the caller handles it. */
  isExempt?: (error: ExportError) => boolean;
}

/**
 * Runs `attempt` until it succeeds. This loop serves API calls and file downloads alike. Every loop of
 * the client that tries again, and its bound:
 *
 * | what | where | bound |
 * |---|---|---|
 * | no answer, a broken one, 5xx, 408 | here | `attempts` (`firstAttempts` before the first answer) |
 * | 429 | here | `rateLimited` |
 * | 503 to a create | ExportApi.create | `unavailableMs` |
 * | polling an export | ExportApi.wait | `timeoutMs` |
 * | an export that FAILED, was forgotten or lost its files | obtainExport, its callers | `exports` |
 * | a file whose content does not match | openExportParts, orders() | `badFile` |
 * | a file URL that expired | fetchFile | 2 refreshes |
 * | redirects of a file | fetchFile | 5 |
 * @throws ExportError the last failure, when the budget of its kind is used up.
 */
export async function withRetry<T>(attempt: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { retry } = options;
  let failures = 0;
  let limited = 0;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof ExportError) || !ERRORS[error.code].isTransient) throw error;
      if (options.isExempt?.(error)) throw error;
      if (error.status === 429) {
        options.onRateLimited?.();
        if (++limited >= retry.rateLimited) throw error;
        const ms = error.retryAfterMs ?? backoffMs(limited, retry);
        await announceAndWait({ reason: 'rate', ms, message: error.message }, options);
        continue;
      }
      if (options.hasProgressed?.()) failures = 0;
      if (++failures >= options.attempts()) throw error;
      const ms = Math.max(error.retryAfterMs ?? 0, backoffMs(failures, retry));
      await announceAndWait({ reason: 'retry', ms, message: error.message }, options);
    }
  }
}

/** Waits, and reports it first. @param wait `ms` is cut to an hour; `opens` is epoch ms. */
export async function announceAndWait(
  wait: { reason: WaitReason; ms: number; message: string; opens?: number | null },
  { signal, onWaiting }: Omit<RetryContext, 'retry'>,
): Promise<void> {
  const { reason, message, opens = null } = wait;
  const ms = Math.min(LONGEST_WAIT_MS, Math.max(0, wait.ms));
  onWaiting?.({ reason, until: Date.now() + ms, opens, message });
  await sleep(ms, signal);
}

/** Chooses a pause with full jitter: anything from 0 to the doubled bound, so that many clients do not return together. */
export function backoffMs(failures: number, { baseMs, capMs }: RetryPolicy): number {
  return Math.random() * Math.min(capMs, baseMs * 2 ** Math.min(failures, 30));
}

/** Waits. @throws ExportError INTERRUPTED when the signal fires first. */
export async function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await delay(ms, undefined, signal ? { signal } : {});
  } catch (cause) {
    throw interruptedError(cause);
  }
}

/** Awaits a promise that knows no signal. @throws ExportError INTERRUPTED when the signal fires first. */
export async function abortable<T>(
  promise: Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  throwIfAborted(signal);
  if (!signal) return promise;
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(interruptedError(signal.reason));
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** Makes the error for a call that its signal ended. */
export function interruptedError(cause?: unknown): ExportError {
  return new ExportError('INTERRUPTED', 'interrupted', { cause });
}

/** @throws ExportError INTERRUPTED */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw interruptedError(signal.reason);
}
