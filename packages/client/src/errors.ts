/** A request that the far side refused, with what it said. */
export class ExportError extends Error {
  override name = 'ExportError';
  /** HTTP status; 0 when there was no answer. */
  readonly status: number;
  /** Seconds after which the far side asks to come again, when it says so. */
  readonly retryAfterSeconds: number | null;
  constructor(
    message: string,
    status: number,
    retryAfterSeconds: number | null = null,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.status = status;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}
