import type { IncomingHttpHeaders } from 'node:http';
import type { ExportType } from '@tillroll/contract';
import type { RequestKind } from './faults.ts';
import type { Outcome } from './send.ts';

/** One request as it came, and what became of it. */
export interface RequestRecord {
  /** Milliseconds since the fake server began. */
  at: number;
  /** Undefined while it is under way. */
  endedAt?: number;
  place: 'main' | 'elsewhere';
  kind: RequestKind | 'unknown';
  method: string;
  /** Without the query, which holds secrets. */
  path: string;
  /** 0 when it never got so far. */
  status: number;
  exportId?: string | undefined;
  type?: ExportType | undefined;
  /** Position of a file in its export, from 0. */
  position?: number | undefined;
  /** The body of a create. */
  body?: string;
  /** True when there was an Authorization header. */
  authorization: boolean;
  /** True when the token was anywhere: in a header, in the query, in the body. */
  tokenSeen: boolean;
  range?: string | undefined;
  acceptEncoding?: string | undefined;
  headers: IncomingHttpHeaders;
  /** The faults that struck. */
  faults: readonly string[];
  outcome?: Outcome;
  /** Bytes of the body, as encoded. */
  bytesSent: number;
}

/** Counts the most requests that were in progress at once. */
export function mostAtOnce(requests: readonly RequestRecord[]): number {
  const together = (time: number): number =>
    requests.filter(({ at, endedAt = Infinity }) => at <= time && time < endedAt).length;
  return Math.max(0, ...requests.map(({ at }) => together(at)));
}

/** Counts the most requests that began within any one second. */
export function mostPerSecond(requests: readonly RequestRecord[]): number {
  const within = (from: number): number =>
    requests.filter(({ at }) => from <= at && at < from + 1000).length;
  return Math.max(0, ...requests.map(({ at }) => within(at)));
}
