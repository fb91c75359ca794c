/** Inflates the gzip of an upload. */
import { createGunzip, type Gunzip } from 'node:zlib';
import { BadBody } from './errors.ts';

const CHUNK_BYTES = 64 * 1024;
/** The first bytes of a member. */
export const GZIP_MAGIC: Buffer = Buffer.from([0x1f, 0x8b]);

const NOTHING_STORED = 'nothing of this request was stored';

/** zlib's faults as sentences. */
function toBadBody(error: unknown): BadBody {
  const message = error instanceof Error ? error.message : String(error);
  const reason = /unexpected end of file/.test(message)
    ? 'the body ends inside of its gzip data'
    : `the body is not valid gzip (${message})`;
  return new BadBody(`${reason}; ${NOTHING_STORED}`, { cause: error });
}

/**
 * Inflates gzip: members, one behind another, with zero bytes between and behind them, as tapes and
 * block devices pad (RFC 1952, 2.2). Node's own reader drops without a word whatever follows a zero
 * byte behind a member. All is read, or the body is refused.
 */
export class Inflater {
  readonly #onBytes: (bytes: Buffer) => void;
  /** Null between members. */
  #gunzip: Gunzip | null = null;
  #fed = 0;
  #failure: Error | null = null;
  #hasMember = false;

  /** @param onBytes is called with what was inflated; if it throws, so do `write` and `end`. */
  constructor(onBytes: (bytes: Buffer) => void) {
    this.#onBytes = onBytes;
  }

  /** Resolves once all that the chunk holds was handed on. @throws BadBody; what `onBytes` throws. */
  async write(chunk: Buffer): Promise<void> {
    let rest = chunk;
    while (rest.length > 0) {
      if (this.#gunzip === null) {
        rest = this.#skipPadding(rest);
        if (rest.length === 0) return;
        this.#begin();
      }
      rest = await this.#feed(rest);
    }
  }

  /** @throws BadBody when the last member is not whole. */
  async end(): Promise<void> {
    if (this.#gunzip) await this.#finish(this.#gunzip);
    else if (!this.#hasMember) throw toBadBody('unexpected end of file');
  }

  /** Stops in the middle. */
  close(): void {
    this.#gunzip?.destroy();
  }

  #skipPadding(bytes: Buffer): Buffer {
    let at = 0;
    if (this.#hasMember) while (at < bytes.length && bytes[at] === 0) at++;
    const rest = bytes.subarray(at);
    // The second byte of the two may be in the next chunk; zlib looks at it then.
    if (!rest.subarray(0, 2).equals(GZIP_MAGIC.subarray(0, Math.min(2, rest.length)))) {
      const what = this.#hasMember
        ? 'other bytes follow the gzip data and its padding'
        : 'the body is not gzip, as Content-Encoding says it is';
      throw new BadBody(`${what}; ${NOTHING_STORED}`);
    }
    return rest;
  }

  #begin(): void {
    const gunzip = createGunzip({ chunkSize: CHUNK_BYTES });
    this.#fed = 0;
    this.#hasMember = true;
    this.#gunzip = gunzip;
    // Between two writes nobody waits for it; a failure is met by the next one.
    gunzip.on('error', () => undefined);
    gunzip.on('data', (bytes: Buffer) => {
      if (this.#failure) return;
      try {
        this.#onBytes(bytes);
      } catch (error) {
        this.#failure = error instanceof Error ? error : new Error(String(error));
        gunzip.destroy();
      }
    });
  }

  /** @returns what is left of the chunk behind the last of its members that follow without padding. */
  async #feed(chunk: Buffer): Promise<Buffer> {
    const gunzip = this.#gunzip as Gunzip;
    this.#fed += chunk.length;
    await this.#act(gunzip, (done) => gunzip.write(chunk, done));
    const left = this.#fed - gunzip.bytesWritten;
    if (left === 0) return Buffer.alloc(0);
    // It stops at a zero byte behind a member.
    this.#gunzip = null;
    gunzip.destroy();
    return chunk.subarray(chunk.length - left);
  }

  async #finish(gunzip: Gunzip): Promise<void> {
    await this.#act(gunzip, () => gunzip.end());
    gunzip.destroy();
  }

  /** Waits until the stream has taken its bytes, or has ended, or has failed. */
  async #act(gunzip: Gunzip, act: (done: () => void) => void): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onError = (error: Error): void => reject(toBadBody(error));
    gunzip.once('error', onError).once('end', resolve).once('close', resolve);
    try {
      act(() => resolve());
      await promise;
    } finally {
      gunzip.off('error', onError).off('end', resolve).off('close', resolve);
    }
    if (this.#failure) throw this.#failure;
  }
}
