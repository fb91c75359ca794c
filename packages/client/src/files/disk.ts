import { mkdir, open, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { ExportError } from '../errors.ts';

const FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);
const REFUSED = new Set(['ENOENT', 'EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP']);

/** What the file system said, as an error of this library; anything else as it is. */
export function diskError(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof ExportError) return error;
  const { code, path, syscall } = error as NodeJS.ErrnoException;
  if (code === undefined || syscall === undefined) return error;
  const where = path ?? 'the output directory';
  if (FULL.has(code))
    return new ExportError('DISK', `the disk is full (${code})`, {
      cause: error,
      hint: 'Make room; the same command goes on where it stopped',
    });
  if (code === 'EEXIST' && syscall === 'mkdir')
    return new ExportError('DIRECTORY', `${where} is no directory`, { cause: error });
  if (REFUSED.has(code))
    return new ExportError('DIRECTORY', `${where} cannot be written (${code})`, { cause: error });
  return new ExportError('DISK', `${syscall} of ${where} failed (${code})`, { cause: error });
}

/**
 * Makes a directory and those above it. Node's own `recursive` never ends where the system answers
 * ENOENT below a directory that exists, as in /proc.
 */
export async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && (await stat(path)).isDirectory()) return;
    const above = dirname(path);
    const isAboveMissing =
      code === 'ENOENT' &&
      above !== path &&
      (await stat(above).catch(() => undefined)) === undefined;
    if (!isAboveMissing) throw error;
    await makeDirectory(above);
    await makeDirectory(path);
  }
}

/** Makes a directory's entries last, where the system can. */
export async function syncDirectory(path: string): Promise<void> {
  try {
    const directory = await open(path, 'r');
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  } catch (error) {
    // Windows knows no such thing.
    if (
      !['EISDIR', 'EPERM', 'EINVAL', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')
    )
      throw error;
  }
}

/** Gives a file that is complete and synced its name. */
export async function moveIntoPlace(part: string, final: string): Promise<void> {
  await makeDirectory(dirname(final));
  await rename(part, final);
  await syncDirectory(dirname(final));
}

/** Writes a file whole or not at all. */
export async function writeWhole(path: string, text: string): Promise<void> {
  const part = `${path}.part`;
  const file = await open(part, 'w');
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await moveIntoPlace(part, path);
}

/** Writes all of it: `writev` may stop short. */
export async function writeAll(
  file: FileHandle,
  pieces: Uint8Array[],
  position: number,
): Promise<number> {
  const total = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const { bytesWritten } = await file.writev(pieces, position);
  if (bytesWritten === total) return total;
  const rest = Buffer.concat(pieces).subarray(bytesWritten);
  for (let done = 0; done < rest.length;) {
    const written = await file.write(
      rest,
      done,
      rest.length - done,
      position + bytesWritten + done,
    );
    done += written.bytesWritten;
  }
  return total;
}

export async function removeFiles(paths: readonly string[]): Promise<void> {
  for (const path of paths) await rm(path, { force: true, recursive: true });
}

/** Gzip, of one member or of several, undone. */
export async function* inflated(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Buffer, void, void> {
  const gunzip = createGunzip({ chunkSize: 64 * 1024 });
  const source = Readable.from(chunks);
  source.on('error', (error) => gunzip.destroy(error));
  yield* source.pipe(gunzip) as AsyncIterable<Buffer>;
}
