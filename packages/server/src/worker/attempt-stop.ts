/** Decides what ended an attempt. */
import { isConnectionLoss } from '../database/faults.ts';
import type { Fault, Interruption } from '../exports/attempt-end.ts';
import { oneLine } from '../errors.ts';
import { StorageError } from '../sink/write-files.ts';
import { ObjectTooLarge } from '../source/frames.ts';
import {
  SourceBehind,
  SourceDisordered,
  SourceError,
  SourceLost,
  SourceSilent,
} from '../source/rows.ts';
import { isStorageFull } from '../storage/full.ts';

/** `superseded`: the export was canceled, or another attempt is the current one. */
export type Cause = Fault | Interruption | 'superseded';

const MESSAGES = {
  superseded: 'the export was canceled or has a newer attempt',
  shutdown: 'the service is stopping',
  lost: 'the queue gave the job to another worker',
} as const;

/** The reason with which an attempt's signal aborts. */
export class AttemptStopped extends Error {
  override name = 'AttemptStopped';
  readonly because: Interruption | 'superseded';
  constructor(because: Interruption | 'superseded') {
    super(MESSAGES[because]);
    this.because = because;
  }
}

/** Errors are stored with the export, up to this length. */
const MAX_DETAILS = 500;

/** Finds what ended an attempt: the one place that decides what an error means for its export. */
export function classify(error: unknown): Cause {
  if (error instanceof AttemptStopped) return error.because;
  if (error instanceof SourceLost) return 'lost';
  const fault = findFault(error);
  // The link broke while the manifest was committed.
  if (fault.code === 'INTERNAL' && isConnectionLoss(error)) return 'lost';
  // PostgreSQL refuses the character 0 in a text.
  const details = oneLine(error).replaceAll('\0', '').slice(0, MAX_DETAILS);
  return { ...fault, details };
}

function findFault(error: unknown): Omit<Fault, 'details'> {
  if (error instanceof SourceDisordered) return { code: 'SOURCE_DISORDERED', isPermanent: true };
  if (error instanceof SourceSilent) return { code: 'SOURCE_SILENT', isPermanent: false };
  if (error instanceof SourceBehind) return { code: 'SOURCE_BEHIND', isPermanent: false };
  if (error instanceof SourceError) return { code: 'SOURCE_UNAVAILABLE', isPermanent: false };
  if (error instanceof StorageError) {
    const code = isStorageFull(error) ? 'STORAGE_FULL' : 'STORAGE_UNAVAILABLE';
    return { code, isPermanent: false };
  }
  if (error instanceof ObjectTooLarge) return { code: 'OBJECT_TOO_LARGE', isPermanent: true };
  return { code: 'INTERNAL', isPermanent: false };
}
