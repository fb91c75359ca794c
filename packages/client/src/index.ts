export {
  ExportClient,
  type CallOptions,
  type ClientOptions,
  type ListOptions,
  type WaitOptions,
} from './client.ts';
export type { ConnectionOptions } from './connection.ts';
export { ERROR_CODES, ExportError, type ErrorCode } from './errors.ts';
export { RETRY_POLICY, type RetryPolicy } from './http/backoff.ts';
export type { Waiting, WaitReason } from './http/transport.ts';
export type { IterateOptions } from './iterate.ts';
export { CLOVER_REGIONS, type CloverRegion } from './regions.ts';
export { instantText, parseSpan, type SpanOptions, type When } from './span.ts';
export type {
  Format,
  PullEvent,
  PullOptions,
  PullResult,
  RangeProgress,
  RangeStage,
} from './files/pull-types.ts';
export type { Receipt } from './files/receipt.ts';
export type { ExportObject, ExportRequest, ExportType, Order, Payment } from '@tillroll/contract';
