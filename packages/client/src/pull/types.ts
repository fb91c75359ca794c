/** The public types of a pull: its options, its events and its result. */
import type { ExportType } from '@tillroll/contract';
import type { Format } from '../directory/layout.ts';
import type { Receipt } from '../directory/receipt.ts';
import type { TableMaker } from '../directory/table-maker.ts';
import type { ErrorCode } from '../errors.ts';
import type { Waiting } from '../http/retry.ts';
import type { When } from '../time/span.ts';

/** Options of a pull. */
export interface PullOptions {
  /** Types to pull; both by default. */
  types?: readonly ExportType[] | undefined;
  /** First instant, inclusive. Required unless `sinceLast`. */
  from?: When | undefined;
  /** End, exclusive. Default: now. An end in the future is cut to now. */
  to?: When | undefined;
  /** IANA name: the zone of days in `from` and `to`, and of the months that files are named after. Default UTC. */
  timezone?: string | undefined;
  /** The output directory; made when it is not there. */
  out: string;
  /** Default: the directory's own; `jsonl` for a new one. */
  format?: Format | undefined;
  /** The maker of tables: `tables` of `@tillroll/formats`. Needed for `csv`, `parquet` and `duckdb`. */
  tables?: TableMaker | undefined;
  /**
   * Columns of the tables, in their order: `orders.total`, `orders.*`, or `total`, which is that column of orders and
   * payments. For `csv` and `parquet`. Default: the directory's own; all of them for a new one.
   */
  columns?: readonly string[] | undefined;
  /** Begin CSV files with a byte order mark, by which Excel knows UTF-8. */
  csvBom?: boolean | undefined;
  /** Compress JSON lines. */
  gzip?: boolean | undefined;
  /** Permissions of the files, such as `0o640`; folders can be entered by those who can read. Default `0o600`. */
  fileMode?: number | undefined;
  /** Continue where the directory ends, and fetch its last `overlapMs` again. */
  sinceLast?: boolean | undefined;
  /** Milliseconds; default 7 days. */
  overlapMs?: number | undefined;
  /** Exports open at once. Default 1. */
  concurrency?: number | undefined;
  /** Files downloaded at once. Default 4. */
  downloads?: number | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: ((event: PullEvent) => void) | undefined;
}

/** The state of one month. `kept`: it was complete before this pull began. */
export type MonthStage =
  | 'planned'
  | 'creating'
  | 'exporting'
  | 'downloading'
  | 'assembling'
  | 'converting'
  | 'done'
  | 'kept'
  | 'failed';

/** One month of one type: a file of the directory. */
export interface MonthProgress {
  /** `orders/2026-01`. */
  name: string;
  type: ExportType;
  /** `2026-01`. */
  month: string;
  /** The part of the month that the directory is to cover. Epoch ms, half-open. */
  startTime: number;
  endTime: number;
  stage: MonthStage;
  /** 0 to 100 of its present stage. */
  percent: number;
  /** Objects that were read so far; for `done` and `kept`, all of the month. */
  objects: number;
  /** Bytes of the raw files that this pull read so far, inflated. */
  bytes: number;
  /** Raw files that were read so far. */
  files: number;
  /** Null until the exports are done. */
  filesTotal: number | null;
  /** The reason why it failed, or what it waits for. */
  message?: string | undefined;
}

/** An event of a running pull. Times are epoch ms. */
export type PullEvent =
  | {
      event: 'plan';
      from: number;
      to: number;
      timezone: string;
      out: string;
      format: Format;
      months: MonthProgress[];
    }
  | { event: 'month'; month: MonthProgress }
  | ({ event: 'waiting' } & Waiting)
  /** A table of the whole directory is being written. `fraction`: 0 to 1. */
  | { event: 'converting'; path: string; fraction: number }
  | { event: 'warning'; message: string }
  | { event: 'done'; complete: boolean };

/** A month, or a table of the whole directory, that could not be made. */
export interface FailedMonth {
  /** `orders/2026-01`, or the path of a table of the whole directory. */
  name: string;
  message: string;
  code: ErrorCode;
  hint?: string | undefined;
}

/** Lists the reasons why something is missing, by name, for the receipt. */
export function listReasons(failed: readonly FailedMonth[]): Map<string, string> {
  return new Map(failed.map(({ name, message }) => [name, message]));
}

/** The result of a pull. */
export interface PullResult {
  complete: boolean;
  /** Absolute path of the output directory. */
  out: string;
  receipt: Receipt;
  failed: FailedMonth[];
  /** Objects and inflated bytes that this pull received, and the time in which files came, without waiting for exports. */
  received: { objects: number; bytes: number; ms: number };
}
