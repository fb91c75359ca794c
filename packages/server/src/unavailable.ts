/** Refusals that pass with time. */

/** Refused for now, whoever asks: 503. */
export class Unavailable extends Error {
  override name = 'Unavailable';
  /** Seconds until it is worth trying again; null when that never comes. */
  readonly retryAfterSeconds: number | null;
  constructor(details: string, retryAfterSeconds: number | null) {
    super(details);
    this.retryAfterSeconds = retryAfterSeconds;
  }
}
