/** Decides what ended an attempt. */
import { isConnectionLoss } from '../database/faults.ts';
import type { Fault, Interruption } from '../exports/attempt-end.ts';
import { StorageError } from '../sink/write-files.ts';
import { ObjectTooLarge } from '../source/frames.ts';
import { SourceBehind, SourceDisordered, SourceError, SourceLost } from '../source/rows.ts';

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

const SOURCE = 'SOURCE_UNAVAILABLE';

/** Finds what ended an attempt: the one place that decides what an error means for its export. */
export function classify(error: unknown): Cause {
  if (error instanceof AttemptStopped) return error.because;
  if (error instanceof SourceLost) return 'lost';
  if (error instanceof SourceDisordered) return { code: SOURCE, isPermanent: true };
  if (error instanceof SourceBehind) return { code: 'SOURCE_BEHIND', isPermanent: false };
  if (error instanceof SourceError) return { code: SOURCE, isPermanent: false };
  if (error instanceof StorageError) return { code: 'STORAGE_UNAVAILABLE', isPermanent: false };
  if (error instanceof ObjectTooLarge) return { code: 'OBJECT_TOO_LARGE', isPermanent: true };
  // The link broke while the manifest was committed.
  if (isConnectionLoss(error)) return 'lost';
  return { code: 'INTERNAL', isPermanent: false };
}
