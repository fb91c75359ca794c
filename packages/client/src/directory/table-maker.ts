/** The interface between a pull and a package that makes tables. */
import type { ExportType } from '@tillroll/contract';
import type { TableFormat } from './layout.ts';

/** The JSON lines of one month, from which tables are made. */
export interface LinesFile {
  type: ExportType;
  /** `2026-01`. */
  month: string;
  /** Absolute path: one object a line, each line ended by `\n`. */
  path: string;
  /** True when the file is gzip (several members, one after another). */
  gzip: boolean;
  objects: number;
  /** Length of the file in bytes. */
  bytes: number;
}

/** Settings of tables, which a directory keeps. */
export interface TableOptions {
  /** The chosen columns as `table.column`, in their order; null: all columns of all tables. */
  columns: readonly string[] | null;
  /** True when CSV files begin with a byte order mark, by which Excel knows UTF-8. */
  csvBom: boolean;
}

/** The task of a conversion: JSON lines in, tables out. */
export interface Conversion extends TableOptions {
  /** One month for a format of scope `month`; all of them, by type and time, for `directory`. */
  months: readonly LinesFile[];
  /** IANA name of the directory's zone: of days, where a format sums them. */
  timezone: string;
  /** Absolute path of an empty folder. Tables are written there, under their final relative paths; the caller removes it when they fail. */
  out: string;
  /** Absolute path of an empty folder for temporary files; the caller removes it. */
  scratch: string;
  signal: AbortSignal;
  /** @param fraction 0 to 1. */
  onProgress?: (fraction: number) => void;
}

/** A table that a conversion made. Several tables may lie in one file. */
export interface ConvertedTable {
  table: string;
  /** Relative to `out`, with `/`: `orders/2026-01.parquet`. */
  path: string;
  rows: number;
}

/** Makes tables from a pull's objects. `@tillroll/formats` has one. */
export interface TableMaker {
  /** Version of the tables' shape: another one makes all tables anew. */
  version: number;
  /** `month`: files of one month's objects. `directory`: one file of all objects. */
  scope(format: TableFormat): 'month' | 'directory';
  /**
   * Checks chosen columns, and names each with its table.
   * @param columns `column`, `table.column` or `table.*`. @throws ExportError USAGE
   */
  resolveColumns(format: TableFormat, columns: readonly string[]): string[];
  /** Called before anything is fetched. @throws ExportError MISSING_PACKAGE when the format needs one. */
  require(format: TableFormat): Promise<void>;
  /** @throws ExportError BAD_FILE, DISK, INTERRUPTED */
  convert(format: TableFormat, conversion: Conversion): Promise<ConvertedTable[]>;
}
