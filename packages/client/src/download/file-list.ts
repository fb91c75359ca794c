/** Lists the files of an export in the order of their objects. */
import type { ExportFile, ExportObject } from '@tillroll/contract';
import { ExportError } from '../errors.ts';

/** One file of a finished export, as far as it stays the same when its URL is minted anew. */
export interface FileEntry {
  /** The URL without its query; with its position in the list where several would be the same. */
  key: string;
  /** Tillroll announces these; Clover does not. */
  expected: ExportFile | undefined;
}

/** A file with its present URL. */
export interface ListedFile extends FileEntry {
  url: string;
}

function withoutQuery(url: string): string {
  return url.split(/[?#]/, 1)[0] ?? url;
}

/**
 * Finds the numbers of the files when their names differ in one number only, and those numbers follow
 * one another without a gap: then they give the order, whatever order the files are listed in.
 */
function findNumbers(keys: readonly string[]): number[] | undefined {
  const parts = keys.map((key) => key.split(/(\d+)/));
  const [first] = parts;
  if (!first || parts.some((part) => part.length !== first.length)) return undefined;
  const differing = first.flatMap((_, i) =>
    parts.some((part) => part[i] !== first[i]) ? [i] : [],
  );
  const [at] = differing;
  if (at === undefined || differing.length > 1 || at % 2 === 0) return undefined;
  const numbers = parts.map((part) => Number(part[at]));
  const lowest = numbers.reduce((a, b) => Math.min(a, b));
  const highest = numbers.reduce((a, b) => Math.max(a, b));
  const isWithoutGap =
    new Set(numbers).size === keys.length && highest - lowest === keys.length - 1;
  return isWithoutGap ? numbers : undefined;
}

/** Lists the files of a DONE export in the order of their objects; undefined when they are gone. */
export function listFiles(exported: ExportObject): ListedFile[] | undefined {
  const listed = exported.exportUrls?.elements;
  if (!listed) return undefined;
  const entries = exported.files?.elements;
  const keys = listed.map(({ url }) => withoutQuery(url));
  const areDistinct = new Set(keys).size === keys.length;
  const files = listed.map(({ url }, i): ListedFile => ({
    key: areDistinct ? withoutQuery(url) : `${withoutQuery(url)}#${i}`,
    url,
    expected: entries?.length === listed.length ? entries[i] : undefined,
  }));
  const numbers = findNumbers(files.map(({ key }) => key));
  if (!numbers) return files;
  return files
    .map((file, i) => ({ file, number: numbers[i] ?? 0 }))
    .toSorted((a, b) => a.number - b.number)
    .map(({ file }) => file);
}

/** Orders files as the saved manifest does. @returns `listed` itself when its keys are not those of the manifest. */
export function orderAs(
  saved: readonly FileEntry[] | undefined,
  listed: ListedFile[],
): readonly FileEntry[] {
  const byKey = new Map(listed.map((file) => [file.key, file]));
  const ordered = saved?.flatMap(({ key }) => byKey.get(key) ?? []);
  const isSame = ordered?.length === listed.length && saved?.length === listed.length;
  return isSame ? ordered : listed;
}

/** Makes the error for an export whose files are no longer served. */
export function filesGoneError(exportId: string): ExportError {
  return new ExportError('GONE', `the files of export ${exportId} are gone`, {
    hint: 'Files are kept for a day; the range must be exported again',
  });
}
