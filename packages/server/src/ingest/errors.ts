/** A line that cannot be stored: 400. Nothing of the request is stored. */
export class BadLine extends Error {
  override name = 'BadLine';
  constructor(line: number, reason: string) {
    super(`line ${line}: ${reason}; nothing of this request was stored`);
  }
}

/** A body that cannot be read at all: 400. */
export class BadBody extends Error {
  override name = 'BadBody';
}

/** A line or a body above its limit: 413. */
export class TooLarge extends Error {
  override name = 'TooLarge';
}

/** The body stopped coming: 408. */
export class TooSlow extends Error {
  override name = 'TooSlow';
}
