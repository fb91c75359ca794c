import { Restart } from './download.ts';
import { ExportError } from './errors.ts';
import type { RetryPolicy } from './http/backoff.ts';

/** Counts the tries of one file: it may break off as often as any request, and be damaged a few times. */
export class FileTries {
  readonly #name: string;
  readonly #retry: RetryPolicy;
  #damaged = 0;
  #broken = 0;

  /** @param name of the file in errors. */
  constructor(name: string, retry: RetryPolicy) {
    this.#name = name;
    this.#retry = retry;
  }

  /** Returns when the file may be fetched once more. @throws what ended it, saying which file it was. */
  failed(error: unknown): void {
    if (error instanceof Restart) {
      if (++this.#broken < this.#retry.attempts) return;
      throw new ExportError(
        'NETWORK',
        `${this.#name} broke off again and again: ${error.message}`,
        { cause: error },
      );
    }
    if (!(error instanceof ExportError) || error.code !== 'BAD_FILE') throw error;
    if (++this.#damaged < this.#retry.badFile) return;
    throw new ExportError('BAD_FILE', `${this.#name} is damaged: ${error.message}`, {
      hint: 'It was fetched again each time; the fault is on their side',
      cause: error,
    });
  }
}
