/** The reasons for which an upload is refused. */

/** A body that cannot be read: 400. Nothing of the upload is stored. */
export class BadBody extends Error {
  override name = 'BadBody';
}

/** A line that cannot be stored. */
export class BadLine extends BadBody {
  override name = 'BadLine';
  constructor(line: number, reason: string) {
    super(`line ${line}: ${reason}; nothing of this request was stored`);
  }
}

/** A line or a body above its limit: 413. */
export class TooLarge extends Error {
  override name = 'TooLarge';
}

/** The merchant's objects were purged while the upload came in: 409. */
export class Purged extends Error {
  override name = 'Purged';
}

/** The install behind the upload was revoked while it came in: 401. */
export class InstallRevoked extends Error {
  override name = 'InstallRevoked';
}

/** This machine has no room for the upload at the moment: 503. */
export class NoRoom extends Error {
  override name = 'NoRoom';
  /** Seconds until it is worth trying again. */
  readonly retryAfterSeconds: number;
  constructor(message: string, retryAfterSeconds: number, options?: ErrorOptions) {
    super(message, options);
    this.retryAfterSeconds = retryAfterSeconds;
  }
}
