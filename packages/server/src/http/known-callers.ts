import { hash } from 'node:crypto';

const MAX_CALLERS = 10_000;

/**
 * Callers whose token was found good lately. It decides about turns alone: the database is asked about
 * every token, each time. Kept as hashes, like tokens everywhere.
 */
export class KnownCallers {
  /** The longest not seen first. */
  readonly #digests = new Set<string>();

  has(token: string): boolean {
    return this.#digests.has(digestToken(token));
  }

  add(token: string): void {
    const digest = digestToken(token);
    this.#digests.delete(digest);
    this.#digests.add(digest);
    if (this.#digests.size <= MAX_CALLERS) return;
    for (const oldest of this.#digests) {
      this.#digests.delete(oldest);
      return;
    }
  }

  /** Forgets a token that is not good any more. */
  delete(token: string): void {
    this.#digests.delete(digestToken(token));
  }
}

function digestToken(token: string): string {
  return hash('sha256', token, 'base64');
}
