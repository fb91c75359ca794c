import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, opendir, rm, unlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { EXPORT_ID } from '@tillroll/contract';
import { codeOf } from '../errors.ts';
import { FileMissing, type Storage, type StoredAttempt } from './storage.ts';

const BLOCK_BYTES = 256 * 1024;

/** Files in a directory of this machine, or one that several machines mount. */
export class DirectoryStorage implements Storage {
  readonly #root: string;
  constructor(root: string) {
    this.#root = root;
  }

  async write(key: string, content: Readable, signal: AbortSignal): Promise<number> {
    const path = join(this.#root, key);
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const file = await open(path, 'w', 0o600);
    try {
      let bytes = 0;
      for await (const chunk of content as AsyncIterable<Buffer>) {
        signal.throwIfAborted();
        for (let at = 0; at < chunk.length;) {
          at += (await file.write(chunk, at)).bytesWritten;
        }
        bytes += chunk.length;
      }
      // The manifest promises these bytes: they must outlive a power cut.
      await file.datasync();
      return bytes;
    } finally {
      await file.close();
    }
  }

  async read(key: string, range?: { start: number; end: number }): Promise<Readable> {
    const path = join(this.#root, key);
    try {
      const file = await open(path, 'r');
      return createReadStream(path, { fd: file, highWaterMark: BLOCK_BYTES, ...range });
    } catch (error) {
      if (codeOf(error) === 'ENOENT') throw new FileMissing(`no file ${key}`, { cause: error });
      throw error;
    }
  }

  async removePrefix(prefix: string): Promise<void> {
    await rm(join(this.#root, prefix), { recursive: true, force: true, maxRetries: 3 });
  }

  async *listAttempts(): AsyncIterable<StoredAttempt> {
    for await (const exportId of names(this.#root)) {
      if (!EXPORT_ID.test(exportId)) continue;
      for await (const attempt of names(join(this.#root, exportId))) {
        if (/^[0-9]{1,9}$/.test(attempt)) yield { exportId, attempt: Number(attempt) };
      }
    }
  }

  async check(): Promise<void> {
    await mkdir(this.#root, { recursive: true, mode: 0o700 });
    const probe = join(this.#root, `.probe-${randomUUID()}`);
    await writeFile(probe, 'tillroll');
    await unlink(probe);
  }
}

async function* names(directory: string): AsyncIterable<string> {
  try {
    for await (const entry of await opendir(directory)) {
      if (entry.isDirectory()) yield entry.name;
    }
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}
