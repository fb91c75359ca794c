/** The file in which an upload waits until it has been checked. */
import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, unlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';

const READ_BYTES = 512 * 1024;

/**
 * A file for the checked rows of one upload, until all of it has come. The file has no name while it
 * is in use, so that whatever ends the process leaves nothing behind.
 */
export class Spool {
  readonly #file: FileHandle;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  static async create(directory: string): Promise<Spool> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const path = join(directory, `${randomUUID()}.spool`);
    const file = await open(path, 'wx+', 0o600);
    await unlink(path);
    return new Spool(file);
  }

  /** File descriptor for the thread that writes it. Valid until `close`. */
  get fd(): number {
    return this.#file.fd;
  }

  /** The whole spool from its start; may be read again when a transaction must be repeated. */
  read(): Readable {
    return createReadStream('', {
      fd: this.#file,
      start: 0,
      autoClose: false,
      highWaterMark: READ_BYTES,
    });
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}
