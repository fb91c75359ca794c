import type { PullEvent } from '@tillroll/client/files';

/** Shows how a pull goes on. */
export interface Display {
  event(event: PullEvent): void;
  /** Leaves the terminal as it was. Nothing may be shown afterwards. */
  stop(): void;
}

export const SILENT: Display = { event: () => undefined, stop: () => undefined };
