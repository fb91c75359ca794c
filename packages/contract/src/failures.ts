/** The reasons why an export is FAILED, each with the sentence that a caller reads. */
import type { ExportFailure } from './wire.ts';

/** The documented codes, each with its sentence. */
export const FAILURES = {
  SOURCE_UNAVAILABLE:
    "The platform's database could not be read. Create the export again; if it fails again, tell the platform.",
  SOURCE_BEHIND:
    'The copy of the database that exports are read from was too far behind. Create the export again; if it fails again, tell the platform.',
  SOURCE_SILENT:
    "The platform's database sent nothing for too long. Create the export again; if it fails again, tell the platform.",
  SOURCE_DISORDERED:
    "The platform's database gave the objects of this range in a wrong order. Tell the platform: a new export fails in the same way.",
  STORAGE_UNAVAILABLE:
    "The export's files could not be written. Create the export again; if it fails again, tell the platform.",
  STORAGE_FULL:
    "The platform's storage has no room for the export's files. Create the export again later; if it fails again, tell the platform.",
  OBJECT_TOO_LARGE:
    'An object in this range is too large to export (over 64 MiB). Ask the platform to look at it.',
  WORKER_LOST: 'The export was interrupted too many times. Create it again.',
  INTERNAL:
    "The export failed for a reason that is in the platform's log. Create it again; if it fails again, tell the platform.",
} as const;

export type FailureCode = keyof typeof FAILURES;

/** The `failure` member of a FAILED export. */
export function describeFailure(code: FailureCode): ExportFailure {
  return { code, message: FAILURES[code] };
}
