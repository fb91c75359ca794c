export type {
  Conversion,
  ConversionProgress,
  ConvertedFile,
  LinesFile,
  TableMaker,
} from './conversion.ts';
export { pull } from './pull.ts';
export {
  FORMATS,
  type ConvertedFormat,
  type Format,
  type PullEvent,
  type PullOptions,
  type PullResult,
  type RangeProgress,
  type RangeStage,
} from './pull-types.ts';
export {
  RECEIPT_FILE,
  RECEIPT_VERSION,
  type MonthTotals,
  type OrderTotals,
  type PaymentTotals,
  type Receipt,
  type ReceiptFile,
  type ReceiptRange,
} from './receipt.ts';
export { verify, type VerifyOptions, type VerifyResult } from './verify.ts';
export {
  downloadExport,
  type DownloadExportOptions,
  type DownloadExportResult,
} from './download-export.ts';
