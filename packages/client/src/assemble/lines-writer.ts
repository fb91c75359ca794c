import { createHash, type Hash } from 'node:crypto';
import { closeSync, ftruncateSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import type { FileSum } from '../disk/entries.ts';
import { openForWriting, writeBytes } from './files.ts';

const LF = 10;
const CR = 13;
/** Plain bytes of one gzip member, or of one write. */
const BLOCK_BYTES = 4 * 1024 * 1024;
/** Longer pieces are written without being copied. */
const DIRECT_BYTES = 256 * 1024;
/** Fast, as on the wire: most bytes are names of members. */
const GZIP = { level: 1 };

/** A state of the file to which it can be cut back. */
export interface Mark {
  length: number;
  position: number;
  hash: Hash;
}

/** Writes objects as JSON lines, plain or as gzip of several members, and hashes the file. */
export class LinesWriter {
  readonly #fd: number;
  readonly #gzip: boolean;
  #hash: Hash = createHash('sha256');
  /** Bytes on disk. */
  #position = 0;
  /** Bytes of the lines. */
  #length = 0;
  #block: Buffer | undefined;
  #used = 0;
  /** Neighbouring objects of one buffer are written as one piece. */
  #run: Buffer | undefined;
  #runStart = 0;
  #runEnd = 0;
  #isClosed = false;

  constructor(path: string, options: { gzip: boolean; mode: number }) {
    this.#gzip = options.gzip;
    this.#fd = openForWriting(path, options.mode);
  }

  /** Bytes of the lines so far, uncompressed. */
  get length(): number {
    return this.#length;
  }

  /**
   * Adds an object as a line, without the line breaks outside its strings. The bytes stay in use until `flush`;
   * the byte between two neighbours in `buffer` becomes the end of a line.
   * @returns the length of the line without its end.
   */
  object(buffer: Buffer, start: number, end: number, hasBreaks: boolean): number {
    if (hasBreaks) return this.#line(withoutBreaks(buffer, start, end));
    if (this.#run === buffer && start === this.#runEnd + 1) buffer[this.#runEnd] = LF;
    else {
      this.#endRun();
      this.#run = buffer;
      this.#runStart = start;
    }
    this.#runEnd = end;
    this.#length += end - start + 1;
    if (end - this.#runStart >= BLOCK_BYTES) this.#endRun();
    return end - start;
  }

  /** Adds whole lines with their ends. The bytes may be used again afterwards. */
  lines(bytes: Buffer): void {
    this.#endRun();
    this.#length += bytes.length;
    this.#put(bytes);
  }

  #line(bytes: Buffer): number {
    this.#endRun();
    this.#length += bytes.length + 1;
    this.#put(bytes);
    this.#putEnd();
    return bytes.length;
  }

  #endRun(): void {
    const run = this.#run;
    if (!run) return;
    this.#run = undefined;
    this.#put(run.subarray(this.#runStart, this.#runEnd));
    this.#putEnd();
  }

  #putEnd(): void {
    (this.#block ??= Buffer.allocUnsafe(BLOCK_BYTES))[this.#used++] = LF;
    if (this.#used === BLOCK_BYTES) this.#writeBlock();
  }

  #put(bytes: Buffer): void {
    if (!this.#gzip && bytes.length >= DIRECT_BYTES) {
      this.#writeBlock();
      this.#write(bytes);
      return;
    }
    const block = (this.#block ??= Buffer.allocUnsafe(BLOCK_BYTES));
    for (let at = 0; at < bytes.length;) {
      const copied = bytes.copy(block, this.#used, at);
      at += copied;
      this.#used += copied;
      if (this.#used === BLOCK_BYTES) this.#writeBlock();
    }
  }

  #writeBlock(): void {
    if (!this.#block || this.#used === 0) return;
    const bytes = this.#block.subarray(0, this.#used);
    this.#used = 0;
    this.#write(this.#gzip ? gzipSync(bytes, GZIP) : bytes);
  }

  #write(bytes: Buffer): void {
    writeBytes(this.#fd, bytes, this.#position);
    this.#hash.update(bytes);
    this.#position += bytes.length;
  }

  /** Writes everything that was added. Ends a gzip member. */
  flush(): void {
    this.#endRun();
    this.#writeBlock();
  }

  /** Flushes. */
  mark(): Mark {
    this.flush();
    return { length: this.#length, position: this.#position, hash: this.#hash.copy() };
  }

  /** Removes what was added after `mark`. */
  rollback({ length, position, hash }: Mark): void {
    this.#run = undefined;
    this.#used = 0;
    this.#length = length;
    this.#hash = hash;
    this.#position = position;
    ftruncateSync(this.#fd, position);
  }

  /** Writes what is left and closes the file. */
  finish(): FileSum {
    this.flush();
    // A file without any byte is not gzip.
    if (this.#gzip && this.#position === 0) this.#write(gzipSync(Buffer.alloc(0), GZIP));
    this.close();
    return { bytes: this.#position, sha256: this.#hash.digest('hex') };
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    closeSync(this.#fd);
  }
}

/** Copies an object without the line breaks between its tokens; those inside strings are escaped. */
function withoutBreaks(buffer: Buffer, start: number, end: number): Buffer {
  const copy = Buffer.allocUnsafe(end - start);
  let length = 0;
  for (let i = start; i < end; i++) {
    const byte = buffer[i] as number;
    if (byte !== LF && byte !== CR) copy[length++] = byte;
  }
  return copy.subarray(0, length);
}
