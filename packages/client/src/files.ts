/** Everything about directories of files. The library itself is in index.ts. */
export {
  DATABASE_FILE,
  FORMATS,
  listMonthTables,
  tablePath,
  type Format,
  type TableFormat,
} from './directory/layout.ts';
export {
  RECEIPT_FILE,
  RECEIPT_VERSION,
  type MonthTotals,
  type OrderTotals,
  type PaymentTotals,
  type Receipt,
  type ReceiptFile,
  type ReceiptTable,
} from './directory/receipt.ts';
export type { Conversion, ConvertedTable, LinesFile, TableMaker } from './directory/table-maker.ts';
export { verify, type VerifyOptions, type VerifyResult } from './directory/verify.ts';
export type { RawFilesOptions, RawFilesProgress, RawFilesResult } from './download/raw-files.ts';
export type {
  FailedMonth,
  MonthProgress,
  MonthStage,
  PullEvent,
  PullOptions,
  PullResult,
} from './pull/types.ts';
export type { PlannedMonth, PullPreview } from './pull/preview.ts';
