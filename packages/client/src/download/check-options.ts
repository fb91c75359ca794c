/** Checks of options that `pull` and `download` share. */
import { usageError } from '../errors.ts';

/** Files downloaded at once. */
export const DEFAULT_DOWNLOADS = 4;
/** More only make each file slower. */
export const MAX_DOWNLOADS = 16;

/** Checks a number of things at once. @throws ExportError USAGE */
export function checkCount(option: string, value: number, max: number): void {
  if (!Number.isInteger(value) || value < 1 || value > max)
    throw usageError(`must be a whole number from 1 to ${max}; got ${String(value)}`, { option });
}

/** Checks the output directory. @throws ExportError USAGE for an address, and for the name that stands for standard output. */
export function checkOut(out: string): void {
  if (out !== '' && out !== '-' && !/^[a-z][a-z\d+.-]+:\/\//i.test(out)) return;
  throw usageError(`must be a directory of this machine; got ${JSON.stringify(out)}`, {
    option: 'out',
  });
}

/** Checks the permissions of files. @throws ExportError USAGE for permissions with which the owner could not read and write the files. */
export function checkFileMode(mode: number): void {
  if (Number.isInteger(mode) && (mode & ~0o666) === 0 && (mode & 0o600) === 0o600) return;
  const got = Number.isInteger(mode) && mode >= 0 ? mode.toString(8) : String(mode);
  throw usageError(
    `must be permissions such as 600 or 640 (octal), with which you can read and write the files yourself; got ${got}`,
    { option: 'fileMode' },
  );
}
