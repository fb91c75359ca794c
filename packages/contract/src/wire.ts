/** The messages that travel over HTTP, as types. Every time is UTC epoch milliseconds. */

export const EXPORT_TYPES = ['ORDERS', 'PAYMENTS'] as const;
export type ExportType = (typeof EXPORT_TYPES)[number];

/** `FAILED` and `CANCELED` are Tillroll's own; older clients treat them as finished. */
export const EXPORT_STATUSES = ['PENDING', 'IN_PROGRESS', 'DONE', 'FAILED', 'CANCELED'] as const;
export type ExportStatus = (typeof EXPORT_STATUSES)[number];

/** The layout of an export's files: an array in an object, or one object a line. */
export const EXPORT_FORMATS = ['json', 'jsonl'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

export interface ExportRequest {
  type: ExportType;
  /** First instant of the range, inclusive. */
  startTime: number;
  /** End of the range, exclusive. */
  endTime: number;
  /** `json` unless given; servers that know no other ignore it. */
  format?: ExportFormat;
  /** 1000 to 1,000,000; 1000 unless given. */
  objectsPerFile?: number;
}

/** Asks for what changed, in the place of a range. */
export interface ChangesRequest extends Pick<ExportRequest, 'type' | 'format' | 'objectsPerFile'> {
  /** The `cursor` of the export before; empty: from the beginning. */
  since: string;
}

/** A request with all that it leaves out. */
export interface ParsedRequest extends Required<ExportRequest> {
  /** Given: changes are asked for, and both times are 0. */
  since?: string;
}

export interface ExportUrl {
  /** Authorises itself: no header and no token is needed. */
  url: string;
  export: { id: string };
}

export interface ExportFile {
  objects: number;
  /** Length of the file as `identity`, before compression. */
  bytes: number;
  /** Hex SHA-256 of the identity bytes. */
  sha256: string;
  /** The file holds tombstones; absent for objects. Exports of changes only. */
  kind?: 'deletions';
}

/** The progress of an open export; told only where it is asked for (`?details=true`). */
export interface ExportProgress {
  /** Exports that are taken up before this one; 0 for one that runs. */
  queuePosition: number;
  /** Objects read so far. */
  objects: number;
  /** A guess by the pace so far; null where there is nothing to judge by. */
  estimatedCompletionTime: number | null;
}

/**
 * Control totals of the objects of one currency, and for payments of one result. Amounts are integers in minor units,
 * and may exceed 2^53: those are not exact as a JavaScript number.
 */
export interface ExportTotals {
  /** The text as the objects have it; null where they have none. */
  currency: string | null;
  /** Payments only. */
  result?: string | null;
  objects: number;
  /** Orders only. */
  total?: number;
  /** These three: payments only. */
  amount?: number;
  tipAmount?: number;
  taxAmount?: number;
  /** Objects of which an amount is missing or not an integer; it adds nothing. */
  unsummed: number;
}

export interface ExportFailure {
  code: string;
  message: string;
}

/** The export object. The order of its members is part of the contract: old clients read by position. */
export interface ExportObject {
  id: string;
  type: ExportType;
  status: ExportStatus;
  /** Integer 0..100; never goes down; 100 only when DONE. */
  percentComplete: number;
  /** Only when DONE. */
  availableUntil?: number;
  startTime: number;
  endTime: number;
  createdTime: number;
  modifiedTime: number;
  /** Only when DONE and before `availableUntil`; in file order. */
  exportUrls?: { elements: ExportUrl[] };
  merchantRef: { id: string };
  /** Only when FAILED. */
  failure?: ExportFailure;
  /** Only when DONE; in the order of the URLs. */
  files?: { elements: ExportFile[] };
  /** Only when PENDING or IN_PROGRESS, and asked for. */
  progress?: ExportProgress;
  /** Only when DONE. */
  totals?: { elements: ExportTotals[] };
  /** Only when DONE: the moment of the database that all files show. */
  snapshotTime?: number;
  /** Only when it is not `json`. */
  format?: ExportFormat;
  /** Only of changes, when DONE: hand it to the next export as `since`. */
  cursor?: string;
}

/** An export in a list: read the export itself for its files, their URLs and its totals. */
export type ListedExport = Omit<ExportObject, 'exportUrls' | 'files' | 'progress' | 'totals'>;

/** The answer to a dry run: what an export would hold. Nothing was created. */
export interface ExportPreview {
  type: ExportType;
  startTime: number;
  endTime: number;
  /** Exact, at the moment of the answer. */
  objects: number;
  files: number;
  /** Bytes of all files without compression, by a sample of the objects. */
  estimatedBytes: number;
  /** From the creation to DONE on an idle service, ms. */
  estimatedMs: number;
}

export interface ExportList {
  elements: ListedExport[];
  href: string;
}

export interface Availability {
  open: boolean;
  region: string;
  /** The opening hours in words, in UTC. */
  hours: string;
  nextOpen: number | null;
  nextClose: number | null;
}

/** Answer of a bulk load. `received` is the sum of the other four. */
export interface LoadCounts {
  received: number;
  inserted: number;
  updated: number;
  unchanged: number;
  /** Older than what is stored, or superseded by another line of the same request. */
  stale: number;
}

/** Answer of a bulk delete. `received` is the sum of the other two. */
export interface DeleteCounts {
  received: number;
  deleted: number;
  /** Ids that were not stored, or not any more: also an id that came a second time. */
  unknown: number;
}

/** A tombstone: it stands for an object that was deleted, in the files of an export of changes. */
export interface Tombstone {
  id: string;
  deleted: true;
  /** Epoch milliseconds. */
  deletedTime: number;
}

export const PERMISSIONS = ['ORDERS_R', 'PAYMENTS_R', 'ORDERS_W', 'PAYMENTS_W'] as const;
export type Permission = (typeof PERMISSIONS)[number];
