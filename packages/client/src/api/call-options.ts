/** Options of the client and its calls. */
import type { ExportObject } from '@tillroll/contract';
import type { ProxyMode } from '../http/proxies.ts';
import type { SentRequest } from '../http/request.ts';
import type { OnWaiting, RetryPolicy } from '../http/retry.ts';
import type { ConnectionOptions } from './connection.ts';

/** Options of a client. */
export interface ClientOptions extends ConnectionOptions {
  /** False: a create that is refused for now (503) fails at once, as UNAVAILABLE. */
  wait?: boolean | undefined;
  /** Longest time that one export may take from being accepted to DONE, in ms. Default 12 hours. */
  timeoutMs?: number | undefined;
  /** Bounds of what is tried again. */
  retry?: Partial<RetryPolicy> | undefined;
  /** Default `environment`. This machine is always reached without a proxy. */
  proxy?: ProxyMode | undefined;
  /** Called for each request, when the headers of its answer have arrived or it has failed. */
  onRequest?: ((request: SentRequest) => void) | undefined;
}

/** Options of any call. */
export interface CallOptions {
  signal?: AbortSignal | undefined;
  /** Called whenever this call has to wait. */
  onWaiting?: OnWaiting | undefined;
}

/** Options of waiting for an export. */
export interface WaitOptions extends CallOptions {
  /** Called with each state that was read. */
  onProgress?: ((exported: ExportObject) => void) | undefined;
  /** Replaces the `timeoutMs` of the client. */
  timeoutMs?: number | undefined;
}

/** Options of listing exports. */
export interface ListOptions extends CallOptions {
  limit?: number | undefined;
  offset?: number | undefined;
}

/** The answer to whether a token may export a type. `unknown`: the server is closed or busy, and does not tell. */
export type Access = 'granted' | 'refused' | 'unknown';
