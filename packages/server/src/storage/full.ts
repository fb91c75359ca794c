/** Tells whether a store has no room. */
import { findErrorCode } from '../errors.ts';

/** The store has less room than it must keep. */
export class StorageFull extends Error {
  override name = 'StorageFull';
}

/** The system's codes for a full disk or quota, and those of S3 servers. */
const FULL_CODES: ReadonlySet<string> = new Set([
  'ENOSPC',
  'EDQUOT',
  'QuotaExceeded',
  'XMinioStorageFull',
  'InsufficientCapacity',
  'HTTP 507',
]);
const MAX_DEPTH = 8;

/** Tells whether an error, or what caused it, says that the store has no room. */
export function isStorageFull(error: unknown): boolean {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < MAX_DEPTH; depth++) {
    if (at instanceof StorageFull || FULL_CODES.has(findErrorCode(at) ?? '')) return true;
    at = at.cause;
  }
  return false;
}
