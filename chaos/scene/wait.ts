import { setTimeout as delay } from 'node:timers/promises';

const PAUSE_MS = 40;

/**
 * Asks again and again until the answer is there: neither `undefined`, `null` nor `false`. An answer that fails counts
 * as none, because what is asked may be down at the moment.
 * @returns null when the answer did not come in time.
 */
export async function waitFor<T>(
  ask: () => Promise<T | undefined | null | false>,
  timeoutS: number,
  signal: AbortSignal,
): Promise<T | null> {
  const end = performance.now() + timeoutS * 1000;
  for (;;) {
    signal.throwIfAborted();
    const answer = await ask().catch(() => null);
    if (answer !== undefined && answer !== null && answer !== false) return answer;
    if (performance.now() > end) return null;
    await delay(PAUSE_MS, undefined, { signal });
  }
}

/** @throws when the answer did not come in time, with what was waited for. */
export async function requireInTime<T>(
  what: string,
  ask: () => Promise<T | undefined | null | false>,
  timeoutS: number,
  signal: AbortSignal,
): Promise<T> {
  let fault: unknown;
  const remember = async (): Promise<T | undefined | null | false> =>
    ask().catch((error: unknown) => {
      fault = error;
      return null;
    });
  const answer = await waitFor(remember, timeoutS, signal);
  if (answer === null)
    throw new Error(
      `${what}: not within ${timeoutS} s`,
      fault === undefined ? {} : { cause: fault },
    );
  return answer;
}
