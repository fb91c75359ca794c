import {
  failureOf,
  type ExportObject,
  type ExportStatus,
  type ExportType,
  type FailureCode,
} from '@tillroll/contract';

/** One file of a finished export, in file order. */
export interface ManifestFile {
  objects: number;
  /** Identity bytes. */
  bytes: number;
  /** Bytes as stored, gzip. */
  compressedBytes: number;
  /** Hex, of the identity bytes. */
  sha256: string;
}

/** A row of `tillroll.exports` with its manifest. Times are epoch milliseconds. */
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
  files: ManifestFile[];
  /** PostgreSQL's clock when the row was read. */
  now: number;
}

/** Whether the files of an export can be downloaded. */
export function isAvailable(record: ExportRecord): boolean {
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
 * @param fileUrl mints the URL of a file by its position.
 */
export function toExportObject(
  record: ExportRecord,
  fileUrl: (position: number, expires: number) => string,
): ExportObject {
  const { availableUntil } = record;
  const done = record.status === 'DONE' && availableUntil !== null;
  return {
    id: record.id,
    type: record.type,
    status: record.status,
    percentComplete: record.percentComplete,
    ...(done && { availableUntil }),
    startTime: record.startTime,
    endTime: record.endTime,
    createdTime: record.createdTime,
    modifiedTime: record.modifiedTime,
    ...(done &&
      isAvailable(record) && {
        exportUrls: {
          elements: record.files.map((_, position) => ({
            url: fileUrl(position, availableUntil),
            export: { id: record.id },
          })),
        },
      }),
    merchantRef: { id: record.merchantId },
    ...(record.failureCode !== null && { failure: failureOf(record.failureCode) }),
    ...(done && {
      files: {
        elements: record.files.map(({ objects, bytes, sha256 }) => ({ objects, bytes, sha256 })),
      },
    }),
  };
}
