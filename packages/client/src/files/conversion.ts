import type { ExportType } from '@tillroll/contract';
import type { ConvertedFormat } from './pull-types.ts';

/** What the objects of a finished range look like on disk before they become another format. */
export interface LinesFile {
  type: ExportType;
  /** The range's name, such as `2026-01-01_2026-01-31`; also the stem of files made from it alone. */
  name: string;
  /** Absolute path of JSON lines: one object a line, each line ended by `\n`. */
  path: string;
  /** Whether the file is gzip (several members, one after another). */
  gzip: boolean;
  objects: number;
  /** Length of the file in bytes. */
  bytes: number;
  /** Whether it is new since the formats were last made. */
  changed: boolean;
}

export interface ConversionProgress {
  /** What is being written: a path relative to `out`, with `/`. */
  path: string;
  /** From 0 to 1, over all that is to be written. */
  fraction: number;
}

export interface Conversion {
  /** All ranges that the directory holds, by type, then by time. */
  ranges: readonly LinesFile[];
  /** Absolute path of the output directory. */
  out: string;
  /** Whether the output was made before by the same version: then ranges that did not change may be kept. */
  incremental: boolean;
  signal: AbortSignal;
  onProgress?: (progress: ConversionProgress) => void;
}

/** A file that a conversion made, or kept. */
export interface ConvertedFile {
  /** Relative to `out`, with `/`. */
  path: string;
  table: string;
  /** Rows of a table; objects of a file per range. */
  rows: number;
}

/** Makes tables of the objects of a pull: `@tillroll/formats` has one. */
export interface TableMaker {
  /** Of the tables' shape: another one makes them anew. */
  version: number;
  /** Called before anything is fetched. @throws ExportError MISSING_PACKAGE when the format needs one. */
  require(format: ConvertedFormat): Promise<void>;
  /** Each file is written aside and then renamed. @throws ExportError */
  convert(format: ConvertedFormat, conversion: Conversion): Promise<ConvertedFile[]>;
}
