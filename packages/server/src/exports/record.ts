/** The rows of exports and files, and the objects that clients see. */
import {
  describeFailure,
  type ExportFile,
  type ExportObject,
  type ExportStatus,
  type ExportType,
  type FailureCode,
  type ListedExport,
} from '@tillroll/contract';

/** One file of a finished export, in file order. */
export interface ManifestFile extends ExportFile {
  /** Bytes as stored, gzip. */
  compressedBytes: number;
  /** The ETag that the store gives the file; null when it has none of its own. */
  storedEtag: string | null;
}

/** A row of `tillroll.exports`. Times are epoch milliseconds. */
export interface ExportRecord {
  id: string;
  merchantId: string;
  appId: string;
  type: ExportType;
  status: ExportStatus;
  percentComplete: number;
  startTime: number;
  endTime: number;
  createdTime: number;
  modifiedTime: number;
  availableUntil: number | null;
  attempt: number;
  failureCode: FailureCode | null;
  filesDeleted: boolean;
  /** PostgreSQL's clock when the row was read. */
  now: number;
}

/** An export with what it shows of its files, in file order; null until it is DONE. */
export interface ExportWithFiles extends ExportRecord {
  files: readonly ExportFile[] | null;
}

/** Tells whether the files of an export can be downloaded. */
export function isAvailable(
  record: Pick<ExportRecord, 'status' | 'filesDeleted' | 'availableUntil' | 'now'>,
): boolean {
  return (
    record.status === 'DONE' &&
    !record.filesDeleted &&
    record.availableUntil !== null &&
    record.now < record.availableUntil
  );
}

/**
 * The export object as clients see it. The order of the members is fixed by clients that read by
 * position, so it is spelled out here once, and serialized as it stands.
 * @param urls of its files, in file order; shown while the files are available.
 */
export function toExportObject(record: ExportWithFiles, urls: readonly string[]): ExportObject {
  const files = record.status === 'DONE' ? (record.files ?? []) : null;
  return {
    ...beforeUrls(record),
    ...(isAvailable(record) && {
      exportUrls: { elements: urls.map((url) => ({ url, export: { id: record.id } })) },
    }),
    ...afterUrls(record),
    ...(files !== null && { files: { elements: [...files] } }),
  };
}

/** An export as the list shows it: without its files and their URLs. */
export function toListedExport(record: ExportRecord): ListedExport {
  return { ...beforeUrls(record), ...afterUrls(record) };
}

function beforeUrls(record: ExportRecord) {
  const { availableUntil } = record;
  return {
    id: record.id,
    type: record.type,
    status: record.status,
    percentComplete: record.percentComplete,
    ...(record.status === 'DONE' && availableUntil !== null && { availableUntil }),
    startTime: record.startTime,
    endTime: record.endTime,
    createdTime: record.createdTime,
    modifiedTime: record.modifiedTime,
  };
}

function afterUrls(record: ExportRecord) {
  return {
    merchantRef: { id: record.merchantId },
    ...(record.failureCode !== null && { failure: describeFailure(record.failureCode) }),
  };
}
