/** The types of `receipt.json`. */
import { type Amount, type ExportType, type TimeRange } from '@tillroll/contract';
import type { Format } from './layout.ts';
import type { Missing, TableRecord } from './state.ts';

export { RECEIPT_FILE } from './layout.ts';

/** The version of the receipt's shape; `receipt.schema.json` describes it. */
export const RECEIPT_VERSION = 4;
/** The rule of every bound in a receipt. */
export const BOUNDS = 'startTime <= createdTime < endTime';

/** The JSON lines of one month of one type. Paths are relative to the directory, with `/`. */
export interface ReceiptFile {
  type: ExportType;
  /** `2026-01`. */
  month: string;
  path: string;
  /** Ranges that the file covers: epoch ms, half-open, ascending. */
  covers: TimeRange[];
  /** Ids of the exports that the objects came from. */
  exports: string[];
  objects: number;
  /** Objects whose `createdTime` is outside `covers`; the server sent them nevertheless. */
  outside: number;
  /** Length and hex SHA-256 of the file as it is on disk. */
  bytes: number;
  sha256: string;
  /** Epoch ms of the lowest and the highest `createdTime`; null without objects. */
  firstCreatedTime: number | null;
  lastCreatedTime: number | null;
}

/** A table made of the JSON lines. Several tables may be in one file. */
export interface ReceiptTable extends TableRecord {
  path: string;
}

/** Sums of a currency. Money is in its minor units, exact: a bigint where a number would not be. */
interface Totals {
  /** The text that the server wrote; null for objects without one. Longer than 64 characters: its beginning and a checksum. */
  currency: string | null;
  objects: number;
  /** Refunds in these objects, and the sum of their amounts. */
  refunds: number;
  refundAmount: Amount;
  /** Money that came in, less refunds: `total` or, with the result SUCCESS, `amount`; without tips. */
  net: Amount;
  /** Objects and refunds of which some amount is in no sum: it is missing, or not a whole number of 64 bits. */
  uncounted: number;
}

/** Totals of orders of one currency. */
export interface OrderTotals extends Totals {
  total: Amount;
}

/** Totals of payments of one currency and result. */
export interface PaymentTotals extends Totals {
  /** The text that the server wrote; null for payments without one. */
  result: string | null;
  amount: Amount;
  tipAmount: Amount;
  taxAmount: Amount;
}

/** A calendar month in the receipt's time zone: its orders, or its payments whose result is SUCCESS. */
export interface MonthTotals {
  type: ExportType;
  /** `2026-01`. */
  month: string;
  currency: string | null;
  objects: number;
  /** Orders' `total`, payments' `amount`. */
  amount: Amount;
  /** Sums of the refunds in these objects, whenever they were made. */
  refundAmount: Amount;
  net: Amount;
}

/** The content of a directory, with lengths and checksums. They show accidents, and do not prove intent. */
export interface Receipt {
  receipt: typeof RECEIPT_VERSION;
  /** True when every month of every span is covered, every table was made, and nothing is missing. */
  complete: boolean;
  source: { url: string; merchant: string };
  format: Format;
  /** True when JSON lines are compressed. */
  gzip: boolean;
  /** The columns that its tables have, `table.column`; null: all. */
  columns: readonly string[] | null;
  bounds: typeof BOUNDS;
  /** IANA name: the zone of the months. */
  timezone: string;
  /** Spans that the directory is to cover, by type: ISO instants, half-open. */
  spans: { type: ExportType; from: string; to: string }[];
  objects: number;
  files: ReceiptFile[];
  tables: ReceiptTable[];
  totals: { orders: OrderTotals[]; payments: PaymentTotals[] };
  months: MonthTotals[];
  missing: Missing[];
}
