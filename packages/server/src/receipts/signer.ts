/** Signs receipts, and publishes the keys that verify them. */
import { CompactSign } from 'jose';
import { toPublicJwk, type PublicJwk, type ReceiptKey } from './keys.ts';

/** Keys are read again when they are older than this: another process may have rotated them. */
const KEPT_MS = 60_000;

/** Signs with the first of the keys that it is given. */
export class ReceiptSigner {
  readonly #readKeys: () => Promise<readonly ReceiptKey[]>;
  #keys: Promise<readonly ReceiptKey[]> | null = null;
  #readAt = 0;

  /** @param readKeys the keys in their order; the first must have its private part. */
  constructor(readKeys: () => Promise<readonly ReceiptKey[]>) {
    this.#readKeys = readKeys;
  }

  /** A compact JWS (RFC 7515) of exactly this text. */
  async sign(text: string): Promise<string> {
    const [key] = await this.#read();
    if (!key?.privateKey) throw new Error('there is no private key for receipts');
    return new CompactSign(Buffer.from(text))
      .setProtectedHeader({ alg: 'EdDSA', kid: key.id, typ: 'tillroll-receipt+json' })
      .sign(key.privateKey);
  }

  /** The public keys of all receipts that were ever signed (RFC 7517). */
  async publish(): Promise<{ keys: PublicJwk[] }> {
    return { keys: (await this.#read()).map(toPublicJwk) };
  }

  async #read(): Promise<readonly ReceiptKey[]> {
    const now = performance.now();
    if (this.#keys === null || now - this.#readAt > KEPT_MS) {
      this.#readAt = now;
      const reading = this.#readKeys();
      this.#keys = reading;
      reading.catch(() => {
        if (this.#keys === reading) this.#keys = null;
      });
    }
    return this.#keys;
  }
}
