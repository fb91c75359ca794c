/** Compresses, hashes and stores one file. */
import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import type { StoredFile } from '../storage/storage.ts';

/** A finished file. Bytes and SHA-256 are those of the identity form. */
export interface WrittenFile {
  objects: number;
  bytes: number;
  compressedBytes: number;
  sha256: string;
  /** The store's own ETag of the compressed file; null when it has none. */
  storedEtag: string | null;
  /** The objects are tombstones. */
  kind?: 'deletions';
}

/** Writes the compressed stream somewhere; resolves once it is durable. */
export type StoreFile = (position: number, content: Readable) => Promise<StoredFile>;

/** Level 1: compression dominates the cost of an export, and higher levels gain little on JSON. */
const GZIP_LEVEL = 1;
const GZIP_CHUNK_BYTES = 64 * 1024;

/** One file on its way: hashed here, compressed in zlib's threads, stored as it comes out. */
export class FileInFlight {
  readonly #hash = createHash('sha256');
  readonly #gzip = createGzip({ level: GZIP_LEVEL, chunkSize: GZIP_CHUNK_BYTES });
  /** The file as stored; rejects as soon as storing fails, long before `end` may be called. */
  readonly stored: Promise<StoredFile>;
  readonly #isDeletions: boolean;
  #bytes = 0;

  constructor(position: number, isDeletions: boolean, store: StoreFile) {
    this.#isDeletions = isDeletions;
    // Every failure reaches the caller through the stored promise or a write's callback.
    this.#gzip.on('error', () => undefined);
    this.stored = store(position, this.#gzip);
    this.stored.catch(() => this.#gzip.destroy());
  }

  /** @param consumed called once the piece's memory may be used again. */
  write(piece: Buffer, consumed: () => void): void {
    this.#bytes += piece.length;
    this.#hash.update(piece);
    this.#gzip.write(piece, () => consumed());
  }

  async end(objects: number): Promise<WrittenFile> {
    this.#gzip.end();
    const { bytes: compressedBytes, etag: storedEtag } = await this.stored;
    const sha256 = this.#hash.digest('hex');
    const kind = this.#isDeletions ? ({ kind: 'deletions' } as const) : {};
    return { objects, bytes: this.#bytes, compressedBytes, sha256, storedEtag, ...kind };
  }

  /** Resolves once nothing of this file is written any more. */
  async destroy(): Promise<void> {
    this.#gzip.destroy(new Error('the export was ended'));
    await this.stored.catch(() => undefined);
  }
}
