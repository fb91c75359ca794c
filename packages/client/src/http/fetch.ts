import { ExportError } from '../errors.ts';
import { throwIfAborted } from './backoff.ts';

/** What a failed fetch was about: undici hides the reason in `cause`. */
export function reasonOf(error: unknown): string {
  const parts: string[] = [];
  for (let at: unknown = error; at instanceof Error && parts.length < 4; at = at.cause) {
    const code = (at as NodeJS.ErrnoException).code;
    const text = at.message || code || at.name;
    if (text !== 'fetch failed' && !parts.includes(text)) parts.push(text);
    if (at instanceof AggregateError && at.errors[0] instanceof Error)
      parts.push(at.errors[0].message);
  }
  return parts.join(': ') || String(error);
}

/** An answer that may go silent no longer than `RetryPolicy.silenceMs` at a time. */
export interface Exchange {
  response: Response;
  /** To be called whenever something arrived: the clock of silence starts anew. */
  alive: () => void;
  /** While we are the one who is silent. */
  pause: () => void;
  /** Ends the exchange, whether read to its end or not. */
  end: () => void;
}

/**
 * One fetch. Redirects are not followed: what happens to a token there must be decided by the caller.
 * @throws ExportError INTERRUPTED by the signal, NETWORK for anything else.
 */
export async function exchange(
  url: URL | string,
  init: RequestInit,
  signal: AbortSignal | undefined,
  silenceMs: number,
): Promise<Exchange> {
  throwIfAborted(signal);
  const silent = new AbortController();
  const onSilence = (): void => silent.abort(new Error(`silent for ${silenceMs / 1000} s`));
  let timer = setTimeout(onSilence, silenceMs);
  const pause = (): void => clearTimeout(timer);
  const alive = (): void => {
    pause();
    timer = setTimeout(onSilence, silenceMs);
  };
  const end = (): void => {
    pause();
    silent.abort(new Error('no longer wanted'));
  };
  try {
    const response = await fetch(url, {
      ...init,
      redirect: 'manual',
      signal: signal ? AbortSignal.any([signal, silent.signal]) : silent.signal,
    });
    return { response, alive, pause, end };
  } catch (error) {
    end();
    throw networkError(error, signal);
  }
}

/** @returns the error to throw for a fetch, or for the reading of its body, that failed. */
export function networkError(error: unknown, signal: AbortSignal | undefined): ExportError {
  if (error instanceof ExportError) return error;
  if (signal?.aborted) return new ExportError('INTERRUPTED', 'interrupted', { cause: error });
  return new ExportError('NETWORK', reasonOf(error), { cause: error });
}
