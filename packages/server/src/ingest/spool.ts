import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, unlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { COPY_HEADER, COPY_TRAILER, rowBytesAtMost, writeRow } from './copy-format.ts';
import type { Row } from './row.ts';

const BLOCK_BYTES = 512 * 1024;

/**
 * Checked rows on disk, already in PostgreSQL's binary COPY format, until all of a body has come. The
 * file has no name while it is in use, so that whatever ends the process leaves nothing behind.
 */
export class Spool {
  readonly #file: FileHandle;
  #block = Buffer.allocUnsafe(BLOCK_BYTES);
  #used = 0;
  #rows = 0;

  private constructor(file: FileHandle) {
    this.#file = file;
    this.#used = COPY_HEADER.copy(this.#block);
  }

  static async create(directory: string): Promise<Spool> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const path = join(directory, `${randomUUID()}.spool`);
    const file = await open(path, 'wx+', 0o600);
    await unlink(path);
    return new Spool(file);
  }

  get rows(): number {
    return this.#rows;
  }

  async add(row: Row): Promise<void> {
    const needed = rowBytesAtMost(row);
    if (this.#used + needed > this.#block.length) await this.#flush();
    if (needed > this.#block.length) {
      const large = Buffer.allocUnsafe(needed);
      await this.#writeAll(large.subarray(0, writeRow(large, 0, row)));
    } else {
      this.#used = writeRow(this.#block, this.#used, row);
    }
    this.#rows++;
  }

  /** Ends the spool; call once, after the last row. */
  async finish(): Promise<void> {
    await this.#flush();
    await this.#writeAll(COPY_TRAILER);
    this.#block = Buffer.alloc(0);
  }

  /** The whole spool from its start; may be read again when a transaction must be repeated. */
  read(): Readable {
    return createReadStream('', {
      fd: this.#file,
      start: 0,
      autoClose: false,
      highWaterMark: BLOCK_BYTES,
    });
  }

  async #flush(): Promise<void> {
    await this.#writeAll(this.#block.subarray(0, this.#used));
    this.#used = 0;
  }

  async #writeAll(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length;) at += (await this.#file.write(bytes, at)).bytesWritten;
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}
