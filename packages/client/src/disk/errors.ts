/** Turns errors of the file system into errors of this library. */
import { ExportError } from '../errors.ts';

const FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);
const REFUSED = new Set(['ENOENT', 'EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP']);

/** Turns an error of the file system into an error of this library. Any other error is returned as it is. */
export function toDiskError(error: unknown): unknown {
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

/** Finds the code of a file system's error, such as `ENOENT`; empty for other errors. */
export function findErrno(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? '';
}
