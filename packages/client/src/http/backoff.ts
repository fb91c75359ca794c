import { setTimeout as delay } from 'node:timers/promises';
import { ExportError } from '../errors.ts';

/** How faults that may pass are tried again. All of them bounded; ms. */
export interface RetryPolicy {
  /** Tries of one request that gets no answer, or a 5xx; and of one file that breaks off and has to begin anew. */
  attempts: number;
  /** The same while the far side has never answered at all: a wrong address should be told soon. */
  firstAttempts: number;
  baseMs: number;
  capMs: number;
  /** 429 in a row for one request. */
  rateLimited: number;
  /** How long a create may be refused with 503 before that counts as failed. */
  unavailableMs: number;
  /** Tries of one file whose content is not as promised. */
  badFile: number;
  /** Exports created in the place of one that FAILED, was forgotten, or whose files are gone. */
  exports: number;
  /** A request that is silent for so long has failed: until its headers, and between two chunks. */
  silenceMs: number;
}

/** Over five minutes of an outage are sat out; a region that is closed for two days as well. */
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

/** Full jitter: anything from 0 to the doubled bound, so that many clients do not come back together. */
export function backoffMs(attempt: number, { baseMs, capMs }: RetryPolicy): number {
  return Math.random() * Math.min(capMs, baseMs * 2 ** Math.min(attempt, 30));
}

/** @throws ExportError INTERRUPTED when the signal fires first. */
export async function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await delay(ms, undefined, signal ? { signal } : {});
  } catch (cause) {
    throw interrupted(cause);
  }
}

export function interrupted(cause?: unknown): ExportError {
  return new ExportError('INTERRUPTED', 'interrupted', { cause });
}

export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw interrupted(signal.reason);
}
