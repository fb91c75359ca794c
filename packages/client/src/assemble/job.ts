/** The types that cross between the main thread and the assembling one. */
import type { ExportFile, ExportType, TimeRange } from '@tillroll/contract';
import type { Tally } from './tally.ts';

/** The task of assembling one month: what to read and which files to write. All paths are absolute. */
export interface AssemblyJob {
  type: ExportType;
  /** The zone whose months are counted. */
  timezone: string;
  /** True to compress the JSON lines. */
  gzip: boolean;
  /** Permissions of the files, such as `0o600`. */
  mode: number;
  /** The file of JSON lines to write. Whatever is there is replaced; so is the same name with `.tmp`. */
  output: string;
  /** The id index to write: sorted hashes of all ids, as Float64, little-endian. */
  ids: string;
  /** Half-open ranges that the file will cover. Objects outside of all of them are kept and counted as `outside`. */
  covers: readonly TimeRange[];
  /** Epoch ms. Objects of parts that were created at this moment are left out; null: none. */
  dropsAt: number | null;
  /** The month's present file, whose objects are kept where the parts bring nothing newer. */
  existing: { path: string; gzip: boolean; sha256: string } | undefined;
  /** Ids to leave out, also of the existing file. */
  exclude: readonly string[];
}

/** A part to add: one raw file, plain or gzip. */
export interface PartInput {
  path: string;
  exportId: string;
  /** The file's entry in the export's manifest, when the server states one. */
  expected: ExportFile | undefined;
}

/** Objects and identity bytes of a part. */
export interface AddedPart {
  objects: number;
  bytes: number;
}

/** The file of a month that was assembled. */
export interface AssembledFile {
  objects: number;
  /** Length of the file on disk. */
  bytes: number;
  /** Hex, of the file on disk. */
  sha256: string;
  /** The lowest and the highest `createdTime`, epoch ms; null without objects. */
  first: number | null;
  last: number | null;
  tally: Tally;
}

/** A file of JSON lines and its id index, as absolute paths. */
export interface IndexedLines {
  lines: string;
  ids: string;
  gzip: boolean;
}

/** An id that is in two files, with the `modifiedTime` (epoch ms) that it has in each. */
export interface SharedId {
  id: string;
  modifiedA: number;
  modifiedB: number;
}
