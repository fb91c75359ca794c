/** The names of exports' files in the store. */
import { EXPORT_ID } from '@tillroll/contract';

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
export function fileKey(exportId: string, attempt: number, position: number): string {
  return `${attemptPrefix(exportId, attempt)}${whole(position).padStart(6, '0')}.json.gz`;
}
