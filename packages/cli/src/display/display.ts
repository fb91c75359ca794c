/** The interface of all displays of a pull's progress. */
import type { PullEvent } from '@tillroll/client/files';

/** Shows the progress of a pull. */
export interface Display {
  event(event: PullEvent): void;
  /** Leaves the terminal as it was. Nothing may be shown afterwards. */
  stop(): void;
}

export const SILENT: Display = { event: () => undefined, stop: () => undefined };
