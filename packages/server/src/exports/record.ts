/** The rows of exports and files, and the objects that clients see. */
import {
  describeFailure,
  type ExportFile,
  type ExportFormat,
  type ExportObject,
  type ExportProgress,
  type ExportStatus,
  type ExportTotals,
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
  format: ExportFormat;
  objectsPerFile: number;
  /** The moment that the files show; null until it is DONE, and of exports made by a program before version 10 of the schema. */
  snapshotTime: number | null;
  /** Of changes: the number of the load after which they are; null for a range. */
  sinceNumber: number | null;
  /** Of changes that are DONE: where the next ones begin. */
  cursor: string | null;
  /** PostgreSQL's clock when the row was read. */
  now: number;
}

/** An export with what it shows of its files, in file order; null until it is DONE. */
export interface ExportWithFiles extends ExportRecord {
  files: readonly ExportFile[] | null;
  /** JSON of `{"elements":[...]}`; text, because its integers may exceed 2^53. */
  totals: string | null;
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
export function toExportObject(
  record: ExportWithFiles,
  urls: readonly string[],
  progress: ExportProgress | null = null,
): ExportObject {
  const files = record.status === 'DONE' ? (record.files ?? []) : null;
  const { totals } = record;
  return {
    ...beforeUrls(record),
    ...(isAvailable(record) && {
      exportUrls: { elements: urls.map((url) => ({ url, export: { id: record.id } })) },
    }),
    ...afterUrls(record),
    ...(files !== null && { files: { elements: [...files] } }),
    ...(progress !== null && { progress }),
    ...(files !== null && totals !== null && { totals: parseTotals(totals) }),
    ...afterTotals(record),
  };
}

/** Renders the content of a receipt: the export object without the URLs of its files, as text. */
export function toReceiptText(record: ExportWithFiles): string {
  return JSON.stringify(toExportObject({ ...record, filesDeleted: true }, []));
}

/** An export as the list shows it: without its files, their URLs and its totals. */
export function toListedExport(record: ExportRecord): ListedExport {
  return { ...beforeUrls(record), ...afterUrls(record), ...afterTotals(record) };
}

/** The stored totals, ready for `JSON.stringify`: integers beyond 2^53 are written as they stand. */
function parseTotals(totals: string): { elements: ExportTotals[] } {
  return JSON.parse(totals, (_member, value: unknown, { source }: { source?: string }) =>
    typeof value === 'number' && !Number.isSafeInteger(value) && source !== undefined
      ? JSON.rawJSON(source)
      : value,
  ) as { elements: ExportTotals[] };
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

function afterTotals(record: ExportRecord) {
  const { status, snapshotTime, format, cursor } = record;
  return {
    ...(status === 'DONE' && snapshotTime !== null && { snapshotTime }),
    ...(format !== 'json' && { format }),
    ...(cursor !== null && { cursor }),
  };
}
