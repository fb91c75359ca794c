import { chmod, mkdir, open, stat } from 'node:fs/promises';
import { constants } from 'node:fs';
import { dirname } from 'node:path';
import { ExportError } from '../errors.ts';

const FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);
const REFUSED = new Set(['ENOENT', 'EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP']);
/** Errors of a system that cannot sync a directory, such as Windows. */
const UNSYNCABLE = new Set(['EISDIR', 'EPERM', 'EINVAL', 'EACCES', 'ENOTSUP']);

/** An error of the file system as an error of this library; any other error as it is. */
export function diskError(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof ExportError) return error;
  const { code, path, syscall } = error as NodeJS.ErrnoException;
  if (code === undefined || syscall === undefined) return error;
  const where = path ?? 'the output directory';
  if (FULL.has(code))
    return new ExportError('DISK', `the disk is full (${code})`, {
      cause: error,
      hint: 'Make room, then run the same command again: it continues where it stopped',
    });
  if (code === 'EEXIST' && syscall === 'mkdir')
    return new ExportError('DIRECTORY', `${where} is not a directory`, { cause: error });
  if (REFUSED.has(code))
    return new ExportError('DIRECTORY', `${where} cannot be used (${code})`, { cause: error });
  return new ExportError('DISK', `${syscall} of ${where} failed (${code})`, { cause: error });
}

/** The code of a file system's error, such as `ENOENT`. */
export function errnoOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? '';
}

/**
 * Makes a directory and those above it. Node's own `recursive` never ends where the system answers
 * ENOENT below a directory that exists, as in /proc.
 * @param mode exact permissions of the last one when it is made here, whatever the umask.
 * @returns false when it was there already.
 */
export async function makeDirectory(path: string, mode?: number): Promise<boolean> {
  try {
    await mkdir(path);
  } catch (error) {
    if (errnoOf(error) === 'EEXIST' && (await stat(path)).isDirectory()) return false;
    const above = dirname(path);
    const isAboveMissing =
      errnoOf(error) === 'ENOENT' &&
      above !== path &&
      (await stat(above).catch(() => undefined)) === undefined;
    if (!isAboveMissing) throw error;
    await makeDirectory(above);
    return makeDirectory(path, mode);
  }
  if (mode !== undefined) await chmod(path, mode);
  return true;
}

/** Makes a directory's entries durable, where the system can. */
export async function syncDirectory(path: string): Promise<void> {
  try {
    await using directory = await open(path, 'r');
    await directory.sync();
  } catch (error) {
    if (!UNSYNCABLE.has(errnoOf(error))) throw error;
  }
}

/** Writes a file and makes it durable. Unlike a single `write`, it fails when the disk fills half-way. */
export async function writeSynced(path: string, text: string, mode: number): Promise<void> {
  const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants;
  await using file = await open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode);
  await file.chmod(mode);
  await file.writeFile(text);
  await file.sync();
}

/** Makes a written file durable, with exact permissions. */
export async function sealFile(path: string, mode: number): Promise<void> {
  await using file = await open(path, constants.O_RDWR | constants.O_NOFOLLOW);
  await file.chmod(mode);
  await file.sync();
}
