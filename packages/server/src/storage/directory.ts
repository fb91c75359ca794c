/** Keeps the files of exports in a directory. */
import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import {
  constants,
  copyFile,
  type FileHandle,
  link,
  mkdir,
  open,
  opendir,
  readFile,
  rm,
  rmdir,
  writeFile,
} from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { EXPORT_ID } from '@tillroll/contract';
import { findErrorCode } from '../errors.ts';
import { readFreeBytes } from '../free-disk.ts';
import { formatIdentity, IDENTITY_FILE, parseIdentity } from './identity.ts';
import { FileMissing, type Storage, type StoredAttempt, type StoredFile } from './storage.ts';

const BLOCK_BYTES = 256 * 1024;
/** One name for all processes: whatever happens to one of them, no files accumulate. */
const PROBE_FILE = '.probe';

/** Files in a directory of this machine, or one that several machines mount. */
export class DirectoryStorage implements Storage {
  readonly #root: string;
  readonly location: string;
  constructor(root: string) {
    this.#root = resolve(root);
    this.location = this.#root;
  }

  async write(key: string, content: Readable, signal: AbortSignal): Promise<StoredFile> {
    const file = await create(join(this.#root, key));
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
      return { bytes, etag: null };
    } finally {
      await file.close();
    }
  }

  async syncDirectories(prefix: string): Promise<void> {
    await syncUpTo(this.#root, join(this.#root, prefix));
  }

  async read(key: string, range?: { start: number; end: number }): Promise<Readable> {
    const path = join(this.#root, key);
    try {
      const file = await open(path, 'r');
      return createReadStream(path, { fd: file, highWaterMark: BLOCK_BYTES, ...range });
    } catch (error) {
      if (findErrorCode(error) === 'ENOENT')
        throw new FileMissing(`no file ${key}`, { cause: error });
      throw error;
    }
  }

  async removePrefix(prefix: string): Promise<void> {
    await rm(join(this.#root, prefix), { recursive: true, force: true, maxRetries: 3 });
    // The last attempt to go takes the export's directory along; one that is not empty stays.
    const parent = dirname(join(this.#root, prefix));
    if (relative(this.#root, parent) === '') return;
    await rmdir(parent).catch((error: unknown) => {
      if (!['ENOENT', 'ENOTEMPTY', 'EEXIST'].includes(findErrorCode(error) ?? '')) throw error;
    });
  }

  async *listAttempts(): AsyncIterable<StoredAttempt> {
    for await (const exportId of names(this.#root)) {
      if (!EXPORT_ID.test(exportId)) continue;
      for await (const attempt of names(join(this.#root, exportId))) {
        if (/^[0-9]{1,9}$/.test(attempt)) yield { exportId, attempt: Number(attempt) };
      }
    }
  }

  async readIdentity(): Promise<string | null> {
    const path = join(this.#root, IDENTITY_FILE);
    const text = await readFile(path, 'utf8').catch((error: unknown) => {
      if (findErrorCode(error) === 'ENOENT') return null;
      throw error;
    });
    return text === null ? null : parseIdentity(path, text);
  }

  async createIdentity(id: string): Promise<boolean> {
    await mkdir(this.#root, { recursive: true, mode: 0o700 });
    // Written under another name and then linked: a reader of the file finds all of it, and a link
    // never replaces a file that another process made first.
    const draft = join(this.#root, `.${IDENTITY_FILE}-${randomUUID()}`);
    try {
      await writeFile(draft, formatIdentity(id), { mode: 0o600, flush: true });
      await publish(draft, join(this.#root, IDENTITY_FILE));
    } catch (error) {
      if (findErrorCode(error) === 'EEXIST') return false;
      throw error;
    } finally {
      await rm(draft, { force: true });
    }
    await syncUpTo(this.#root, this.#root);
    return true;
  }

  async check(): Promise<void> {
    const path = join(this.#root, PROBE_FILE);
    const probe = await open(path, 'w', 0o600);
    try {
      // Nameless before anything is written: a write that fails, on a full disk, leaves nothing behind.
      await rm(path, { force: true });
      await probe.writeFile('tillroll');
    } finally {
      await probe.close();
    }
  }

  readFreeBytes(): Promise<number> {
    return readFreeBytes(this.#root);
  }
}

/** Codes of file systems without hard links, such as some network shares. */
const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']);

/** Gives a written file its final name. @throws EEXIST when there is one of that name. */
async function publish(draft: string, path: string): Promise<void> {
  await link(draft, path).catch(async (error: unknown) => {
    if (!NO_LINKS.has(findErrorCode(error) ?? '')) throw error;
    await copyFile(draft, path, constants.COPYFILE_EXCL);
  });
}

async function* names(directory: string): AsyncIterable<string> {
  try {
    for await (const entry of await opendir(directory)) {
      if (entry.isDirectory()) yield entry.name;
    }
  } catch (error) {
    if (findErrorCode(error) !== 'ENOENT') throw error;
  }
}

/** Creates a file and its directories, which another attempt's end may remove in between. */
async function create(path: string, tries = 3): Promise<FileHandle> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    return await open(path, 'w', 0o600);
  } catch (error) {
    if (findErrorCode(error) !== 'ENOENT' || tries <= 1) throw error;
    return create(path, tries - 1);
  }
}

/** Makes the names durable, too: a file whose directory entry is lost is lost. */
async function syncUpTo(root: string, directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
  if (relative(root, directory) !== '') await syncUpTo(root, dirname(directory));
}
