/** The messages that travel over HTTP, as types. Every time is UTC epoch milliseconds. */

export const EXPORT_TYPES = ['ORDERS', 'PAYMENTS'] as const;
export type ExportType = (typeof EXPORT_TYPES)[number];

/** `FAILED` and `CANCELED` are Tillroll's own; older clients treat them as finished. */
export const EXPORT_STATUSES = ['PENDING', 'IN_PROGRESS', 'DONE', 'FAILED', 'CANCELED'] as const;
export type ExportStatus = (typeof EXPORT_STATUSES)[number];

export interface ExportRequest {
  type: ExportType;
  /** First instant of the range, inclusive. */
  startTime: number;
  /** End of the range, exclusive. */
  endTime: number;
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
}

/** An export in a list: read the export itself for its files and their URLs. */
export type ListedExport = Omit<ExportObject, 'exportUrls' | 'files'>;

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

export const PERMISSIONS = ['ORDERS_R', 'PAYMENTS_R', 'ORDERS_W', 'PAYMENTS_W'] as const;
export type Permission = (typeof PERMISSIONS)[number];
