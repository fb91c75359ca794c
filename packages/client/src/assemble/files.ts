import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  openSync,
  readSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { ExportError } from '../errors.ts';

/** Synchronous files of the worker. System errors pass as they are. */

export const CHUNK_BYTES = 1024 * 1024;
// A pipe under the file's name must not block the open. Neither flag exists on Windows.
export const READ_FLAGS =
  constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

/** @throws ExportError DIRECTORY when `path` is a symbolic link, or anything else but a file. */
export function openForReadingSync(path: string): number {
  let fd: number;
  try {
    fd = openSync(path, READ_FLAGS);
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'ELOOP' ? notRegular(path, error) : error;
  }
  if (fstatSync(fd).isFile()) return fd;
  closeSync(fd);
  throw notRegular(path);
}

export function notRegular(path: string, cause?: unknown): ExportError {
  return new ExportError('DIRECTORY', `${path} is not a regular file`, {
    hint: 'Delete it and run the pull again',
    cause,
  });
}

/** Opens a new file in the place of any other; `mode` holds whatever the umask is. */
export function openForWriting(path: string, mode: number): number {
  rmSync(path, { force: true });
  const fd = openSync(path, 'wx', mode);
  fchmodSync(fd, mode);
  return fd;
}

/** The bytes from `position` on, as far as the file goes. */
export function readBytes(fd: number, length: number, position: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let done = 0;
  while (done < length) {
    const read = readSync(fd, bytes, done, length - done, position + done);
    if (read === 0) break;
    done += read;
  }
  return bytes.subarray(0, done);
}

/** The file in chunks that belong to the caller. Closes it at the end. */
export function* readChunks(fd: number): Generator<Buffer, void, void> {
  try {
    for (let position = 0; ;) {
      const chunk = readBytes(fd, CHUNK_BYTES, position);
      if (chunk.length === 0) return;
      position += chunk.length;
      yield chunk;
    }
  } finally {
    closeSync(fd);
  }
}

export function writeBytes(fd: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length;)
    done += writeSync(fd, bytes, done, bytes.length - done, position + done);
}
