import type { ExportType } from '@tillroll/contract';
import type { When } from '../span.ts';
import type { TableMaker } from './conversion.ts';
import type { Receipt } from './receipt.ts';

export const FORMATS = ['jsonl', 'json', 'csv', 'parquet', 'duckdb'] as const;
export type Format = (typeof FORMATS)[number];

/** Those that are made of the objects once they are there. */
export type ConvertedFormat = Exclude<Format, 'jsonl' | 'json'>;

export interface PullOptions {
  /** Both by default. */
  types?: readonly ExportType[] | undefined;
  /** First instant, inclusive. Required unless `sinceLast`. */
  from?: When | undefined;
  /** End, exclusive. Default: now. An end in the future is cut to now. */
  to?: When | undefined;
  /** IANA name: what a day in `from`, `to` and the months of the receipt means. Default UTC. */
  timezone?: string | undefined;
  /** The output directory; made when it is not there. */
  out: string;
  /** Default `jsonl`. */
  format?: Format | undefined;
  /** What makes tables: `tables` of `@tillroll/formats`. Needed for `csv`, `parquet` and `duckdb`. */
  tables?: TableMaker | undefined;
  /** Compress JSON and JSON lines. */
  gzip?: boolean | undefined;
  /** Go on where the directory ends, and fetch its last `overlapMs` again. */
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

/** Where one range stands. `kept`: it was complete before this pull began. */
export type RangeStage =
  | 'planned'
  | 'creating'
  | 'exporting'
  | 'downloading'
  | 'merging'
  | 'done'
  | 'kept'
  | 'failed';

export interface RangeProgress {
  /** `orders/2026-01-01_2026-01-31`. */
  name: string;
  type: ExportType;
  /** Epoch ms, half-open. */
  startTime: number;
  endTime: number;
  stage: RangeStage;
  /** 0 to 100 of its present stage. */
  percent: number;
  objects: number;
  /** Bytes received, inflated. */
  bytes: number;
  files: number;
  /** Null until the export is done. */
  filesTotal: number | null;
  /** Why it failed, or what it waits for. */
  message?: string | undefined;
}

/** How far the files of one export are. */
export interface DownloadProgress {
  files: number;
  filesTotal: number;
  objects: number;
  /** Bytes received, inflated, in this run. */
  bytes: number;
}

/** What a pull tells while it runs. Times are epoch ms. */
export type PullEvent =
  | {
      event: 'plan';
      from: number;
      to: number;
      timezone: string;
      out: string;
      ranges: RangeProgress[];
    }
  | { event: 'range'; range: RangeProgress }
  | {
      event: 'waiting';
      /** `hours`: closed now. `busy`: too many open exports. `rate`: 429. `retry`: a fault that may pass. */
      reason: 'hours' | 'busy' | 'rate' | 'retry';
      /** When it goes on, epoch ms. */
      until: number;
      /** When the far side opens, where that is known. */
      opens: number | null;
      message: string;
    }
  | { event: 'converting'; path: string; fraction: number }
  | { event: 'warning'; message: string }
  | { event: 'done'; complete: boolean };

export interface PullResult {
  complete: boolean;
  /** Absolute path of the output directory. */
  out: string;
  receipt: Receipt;
  failed: { name: string; message: string; code: string; hint?: string | undefined }[];
  /** Objects and bytes received by this pull alone. */
  received: { objects: number; bytes: number };
}
