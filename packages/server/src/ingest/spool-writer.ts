import { writeSync } from 'node:fs';
import { COPY_HEADER, COPY_TRAILER, rowBytesAtMost, writeRow } from './copy-format.ts';
import type { Row } from './row.ts';

const BLOCK_BYTES = 512 * 1024;

/** Writes checked rows to a spool's file in PostgreSQL's binary COPY format, block by block. */
export class SpoolWriter {
  readonly #fd: number;
  readonly #onGrown: (bytes: number) => void;
  #block = Buffer.allocUnsafe(BLOCK_BYTES);
  #used = COPY_HEADER.copy(this.#block);
  #bytes = 0;
  #rows = 0;

  /** @param onGrown is called with the file's size after each block, bytes. */
  constructor(fd: number, onGrown: (bytes: number) => void) {
    this.#fd = fd;
    this.#onGrown = onGrown;
  }

  /** Blocks the thread until a full block is written. @throws the file system's error, such as ENOSPC. */
  add(row: Row): void {
    const needed = rowBytesAtMost(row);
    if (this.#used + needed > this.#block.length) this.#flush();
    if (needed > this.#block.length) {
      const large = Buffer.allocUnsafe(needed);
      this.#write(large.subarray(0, writeRow(large, 0, row)));
    } else {
      this.#used = writeRow(this.#block, this.#used, row);
    }
    this.#rows++;
  }

  /** Ends the spool; call once, after the last row. */
  finish(): { rows: number; bytes: number } {
    this.#flush();
    this.#write(COPY_TRAILER);
    return { rows: this.#rows, bytes: this.#bytes };
  }

  #flush(): void {
    this.#write(this.#block.subarray(0, this.#used));
    this.#used = 0;
  }

  #write(bytes: Buffer): void {
    for (let at = 0; at < bytes.length;)
      at += writeSync(this.#fd, bytes, at, bytes.length - at, this.#bytes + at);
    this.#bytes += bytes.length;
    this.#onGrown(this.#bytes);
  }
}
