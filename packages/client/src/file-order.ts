import type { ExportFile, ExportObject } from '@tillroll/contract';

/** One file of a finished export, in the order in which its objects follow one another. */
export interface ExportedFile {
  /** What stays the same when the URL is minted anew: the URL without its query, or else its place in the list. */
  key: string;
  url: string;
  promised: ExportFile | undefined;
}

function keyOf(url: string): string {
  return url.split(/[?#]/, 1)[0] ?? url;
}

/**
 * The numbers of the files when their names differ in one number only, and those numbers follow one
 * another without a gap: then they say the order, whatever order they are listed in.
 */
function numbering(keys: readonly string[]): number[] | undefined {
  const parts = keys.map((key) => key.split(/(\d+)/));
  const [first] = parts;
  if (!first || parts.some((of) => of.length !== first.length)) return undefined;
  const differing = first.flatMap((_, i) => (parts.some((of) => of[i] !== first[i]) ? [i] : []));
  const [at] = differing;
  if (at === undefined || differing.length > 1 || at % 2 === 0) return undefined;
  const numbers = parts.map((of) => Number(of[at]));
  const lowest = numbers.reduce((a, b) => Math.min(a, b));
  const highest = numbers.reduce((a, b) => Math.max(a, b));
  const isWithoutGap =
    new Set(numbers).size === keys.length && highest - lowest === keys.length - 1;
  return isWithoutGap ? numbers : undefined;
}

/** The files of a DONE export; undefined when they are gone. */
export function filesOf(exported: ExportObject): ExportedFile[] | undefined {
  const listed = exported.exportUrls?.elements;
  if (!listed) return undefined;
  const promised = exported.files?.elements;
  const keys = listed.map(({ url }) => keyOf(url));
  const areDistinct = new Set(keys).size === keys.length;
  const files = listed.map(({ url }, i): ExportedFile => ({
    key: areDistinct ? keyOf(url) : `${keyOf(url)}#${i}`,
    url,
    promised: promised?.length === listed.length ? promised[i] : undefined,
  }));
  const numbers = numbering(files.map(({ key }) => key));
  if (!numbers) return files;
  return files
    .map((file, i) => ({ file, number: numbers[i] ?? 0 }))
    .toSorted((a, b) => a.number - b.number)
    .map(({ file }) => file);
}
