import type { ExportType } from '@tillroll/contract';
import type { Format } from './pull-types.ts';

/** The version of the receipt's shape; `receipt.schema.json` describes it. */
export const RECEIPT_VERSION = 1;
export const RECEIPT_FILE = 'receipt.json';

/** One file of the directory. Paths are relative to it, with `/`. */
export interface ReceiptFile {
  path: string;
  /** Objects in it; rows for a table. */
  objects: number;
  /** Length on disk. */
  bytes: number;
  /** Hex SHA-256 of the file as it lies on disk. */
  sha256: string;
  /** Epoch ms of the first and the last object; null when there is none, or where the file is a table. */
  firstCreatedTime: number | null;
  lastCreatedTime: number | null;
}

export interface ReceiptRange {
  type: ExportType;
  name: string;
  /** Half-open, epoch ms. */
  startTime: number;
  endTime: number;
  /** The exports that it came from. */
  exports: string[];
  objects: number;
  /** Objects whose `createdTime` lies outside the range, which the far side gave all the same. */
  outside: number;
  firstCreatedTime: number | null;
  lastCreatedTime: number | null;
  files: ReceiptFile[];
}

/** Minor units of the currency. */
export interface OrderTotals {
  currency: string;
  objects: number;
  total: number;
}

/** Minor units of the currency. */
export interface PaymentTotals {
  currency: string;
  result: string;
  objects: number;
  amount: number;
  tipAmount: number;
  taxAmount: number;
}

/** A calendar month in the receipt's time zone. `amount`: orders' `total`, payments' `amount` of result SUCCESS. */
export interface MonthTotals {
  type: ExportType;
  /** `2026-01`. */
  month: string;
  currency: string;
  objects: number;
  amount: number;
}

/** What a directory holds, and the proof of it. */
export interface Receipt {
  receipt: typeof RECEIPT_VERSION;
  /** Whether everything from `from` to `to` is there. */
  complete: boolean;
  source: { url: string; merchant: string };
  format: Format;
  gzip: boolean;
  /** The rule of every bound in here: `startTime <= createdTime < endTime`. */
  bounds: string;
  timezone: string;
  /** What is covered, by type; ISO instants, half-open. */
  spans: { type: ExportType; from: string; to: string }[];
  objects: number;
  ranges: ReceiptRange[];
  /** Tables made of the ranges (csv, parquet, duckdb). */
  tables: (ReceiptFile & { table: string })[];
  totals: { orders: OrderTotals[]; payments: PaymentTotals[] };
  months: MonthTotals[];
  /** Ranges that are missing, with the reason. */
  missing: { name: string; type: ExportType; startTime: number; endTime: number; reason: string }[];
}
