/** Checks the JSON of the API's answers before it is used. */
import {
  EXPORT_STATUSES,
  EXPORT_TYPES,
  MAX_TIME_MS,
  type Availability,
  type ExportFile,
  type ExportList,
  type ExportObject,
  type ExportPreview,
} from '@tillroll/contract';
import { ExportError } from '../errors.ts';

/** An export's id, as far as it is accepted: it becomes part of an address and the name of a folder. */
export const EXPORT_ID = /^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}$/;

/** Parses an export, and checks the members that this library relies on. @throws ExportError PROTOCOL */
export function parseExport(json: unknown): ExportObject {
  const exported = json as Partial<ExportObject> | null;
  const urls = exported?.exportUrls?.elements;
  const files = exported?.files?.elements;
  const isExport =
    typeof exported === 'object' &&
    exported !== null &&
    typeof exported.id === 'string' &&
    EXPORT_ID.test(exported.id) &&
    isAnyOf(EXPORT_STATUSES, exported.status) &&
    isAnyOf(EXPORT_TYPES, exported.type) &&
    (exported.exportUrls === undefined ||
      (Array.isArray(urls) && urls.every((file) => typeof file?.url === 'string'))) &&
    (exported.files === undefined || (Array.isArray(files) && files.every(isFileEntry)));
  if (isExport) return exported as ExportObject;
  throw new ExportError(
    'PROTOCOL',
    `the answer is not an export: ${JSON.stringify(json)?.slice(0, 120)}`,
    { hint: 'Check that this is the address of an export API' },
  );
}

function isAnyOf(allowed: readonly unknown[], value: unknown): boolean {
  return allowed.includes(value);
}

/** Tells whether a value is an entry of an export's `files` (wire contract, `files`). */
export function isFileEntry(value: unknown): value is ExportFile {
  const file = value as Partial<ExportFile> | null;
  return (
    Number.isSafeInteger(file?.objects) &&
    Number.isSafeInteger(file?.bytes) &&
    typeof file?.sha256 === 'string' &&
    /^[0-9a-f]{64}$/.test(file.sha256)
  );
}

/** Parses a list of exports. @throws ExportError PROTOCOL */
export function parseExportList(json: unknown): ExportList {
  const elements = (json as Partial<ExportList> | null)?.elements;
  if (!Array.isArray(elements))
    throw new ExportError('PROTOCOL', 'the list of exports holds no elements', {
      hint: 'Listing is an addition of Tillroll; Clover documents none',
    });
  return { ...(json as ExportList), elements: elements.map(parseExport) };
}

/** Parses the answer to a dry run. @throws ExportError PROTOCOL, also when an export was created instead. */
export function parsePreview(json: unknown): ExportPreview {
  const preview = json as Partial<Record<keyof ExportPreview, unknown>> | null;
  const counts = ['objects', 'files', 'estimatedBytes', 'estimatedMs'] as const;
  const isPreview =
    typeof preview === 'object' &&
    preview !== null &&
    counts.every((name) => Number.isSafeInteger(preview[name]) && (preview[name] as number) >= 0);
  if (!isPreview)
    throw new ExportError('PROTOCOL', 'the server did not say what the export would hold', {
      hint: 'It may not know dry runs, and have created an export instead: see tillroll exports list',
    });
  return json as ExportPreview;
}

/** Parses the hours. Refuses times that would become endless waits. @throws ExportError PROTOCOL */
export function parseAvailability(json: unknown): Availability {
  const hours = json as Partial<Availability> | null;
  const isTime = (time: unknown): boolean =>
    time === null || (Number.isSafeInteger(time) && Math.abs(time as number) <= MAX_TIME_MS);
  const isAvailability =
    typeof hours === 'object' &&
    hours !== null &&
    typeof hours.open === 'boolean' &&
    typeof hours.hours === 'string' &&
    isTime(hours.nextOpen) &&
    isTime(hours.nextClose);
  if (!isAvailability) throw new ExportError('PROTOCOL', 'the answer does not state the hours');
  return hours as Availability;
}

/** Makes the error for an export that ended otherwise than DONE. */
export function exportFailedError({ id, status, failure }: ExportObject): ExportError {
  const why = failure ? `: ${failure.code}: ${failure.message}` : '';
  return new ExportError('EXPORT_FAILED', `export ${id} ended as ${status}${why}`);
}
