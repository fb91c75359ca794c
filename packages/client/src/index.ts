/** `@tillroll/client`: the library. Directories of files are in files.ts. */

export type {
  Access,
  CallOptions,
  ClientOptions,
  ListOptions,
  WaitOptions,
} from './api/call-options.ts';
export { isPlainHttp, type ConnectionOptions } from './api/connection.ts';
export { CLOVER_REGIONS, type CloverRegion } from './api/regions.ts';
export { ExportClient } from './client.ts';
export type { Format } from './directory/layout.ts';
export type { Receipt } from './directory/receipt.ts';
export type { IterateOptions } from './download/iterate-objects.ts';
export type { RawFilesOptions, RawFilesProgress, RawFilesResult } from './download/raw-files.ts';
export type { RawFile, RawManifest } from './download/raw-manifest.ts';
export { ERROR_CODES, ERRORS, ExportError, type ErrorCode } from './errors.ts';
export type { ProxyMode } from './http/proxies.ts';
export type { SentRequest } from './http/request.ts';
export {
  RETRY_POLICY,
  type OnWaiting,
  type RetryPolicy,
  type Waiting,
  type WaitReason,
} from './http/retry.ts';
export type {
  FailedMonth,
  MonthProgress,
  MonthStage,
  PullEvent,
  PullOptions,
  PullResult,
} from './pull/types.ts';
export type { LinesOptions, ObjectLine } from './pull/iterate-lines.ts';
export type { PlannedMonth, PullPreview } from './pull/preview.ts';
export type { SpanOptions, When } from './time/span.ts';
export type {
  Amount,
  ExportObject,
  ExportPreview,
  ExportRequest,
  ExportType,
  Order,
  Payment,
} from '@tillroll/contract';
