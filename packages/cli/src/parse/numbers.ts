/** Parses whole numbers and file modes of options. */
import { quoted, UsageError } from '../exit.ts';

/**
 * Parses a whole number. The library checks bounds where it has some.
 * @throws UsageError
 */
export function parseNumber(option: string, text: string, least = 1): number {
  const value = /^[0-9]{1,9}$/.test(text) ? Number(text) : -1;
  if (value >= least) return value;
  throw new UsageError(`${option} must be a whole number from ${least}; got ${quoted(text)}`);
}

/**
 * Parses permissions as `chmod` takes them: `640`.
 * @throws UsageError
 */
export function parseFileMode(option: string, text: string): number {
  if (/^0?6[0246]{2}$/.test(text)) return Number.parseInt(text, 8);
  throw new UsageError(
    `${option} must be permissions of three octal digits with which you can read and write the files, such as 600 or 640; got ${quoted(text)}`,
  );
}
