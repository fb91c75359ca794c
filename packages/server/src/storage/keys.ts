/** The names of exports' files in the store. */
import { EXPORT_ID, type ExportFormat } from '@tillroll/contract';

function checked(exportId: string): string {
  // Ids come from our own database; a path is still never built from one that was not looked at.
  if (!EXPORT_ID.test(exportId)) throw new RangeError(`not an export id: ${exportId.slice(0, 20)}`);
  return exportId;
}

function whole(number: number): string {
  if (!Number.isSafeInteger(number) || number < 0)
    throw new RangeError(`not a position: ${number}`);
  return String(number);
}

/** Everything of one export. */
export function exportPrefix(exportId: string): string {
  return `${checked(exportId)}/`;
}

/** Everything that one attempt wrote. */
export function attemptPrefix(exportId: string, attempt: number): string {
  return `${checked(exportId)}/${whole(attempt)}/`;
}

/** One file of an attempt; positions count from 0. */
export function fileKey(
  exportId: string,
  attempt: number,
  position: number,
  format: ExportFormat = 'json',
): string {
  const name = whole(position).padStart(6, '0');
  return `${attemptPrefix(exportId, attempt)}${name}.${format}.gz`;
}

/** Media types of the files without compression. */
export const MEDIA_TYPES: Readonly<Record<ExportFormat, string>> = {
  json: 'application/json',
  jsonl: 'application/x-ndjson',
};

/** The media type of the file with this key. */
export function findMediaType(key: string): string {
  return key.endsWith('.jsonl.gz') ? MEDIA_TYPES.jsonl : MEDIA_TYPES.json;
}
