import { EXPORT_STATUSES, type ExportStatus } from '@tillroll/contract';

/**
 * What can happen to an export.
 * - `take`: a worker takes it up; in IN_PROGRESS that is a take-over after a loss.
 * - `complete`: the current attempt committed its manifest.
 * - `retry`: the attempt failed through a fault of the export itself, and tries are left.
 * - `handBack`: the attempt ended through no fault of the export: shutdown, lost link, lost job.
 * - `fail`: no tries are left.
 * - `cancel`: the operator's command.
 * - `expire`: `availableUntil` has passed.
 */
export const EXPORT_EVENTS = [
  'take',
  'complete',
  'retry',
  'handBack',
  'fail',
  'cancel',
  'expire',
] as const;
export type ExportEvent = (typeof EXPORT_EVENTS)[number];

/** What each event does in one state. */
type Row = Readonly<Record<ExportEvent, ExportStatus | null>>;

/** Of an export that has ended, nothing is heard any more. */
const ENDED: Row = {
  take: null,
  complete: null,
  retry: null,
  handBack: null,
  fail: null,
  cancel: null,
  expire: null,
};

/** The state after an event, or null where the event changes nothing. Total: the compiler sees to it. */
export const LIFE_CYCLE: Readonly<Record<ExportStatus, Row>> = {
  PENDING: {
    take: 'IN_PROGRESS',
    complete: null,
    retry: null,
    handBack: 'PENDING',
    fail: 'FAILED',
    cancel: 'CANCELED',
    expire: null,
  },
  IN_PROGRESS: {
    take: 'IN_PROGRESS',
    complete: 'DONE',
    retry: 'PENDING',
    handBack: 'PENDING',
    fail: 'FAILED',
    cancel: 'CANCELED',
    expire: null,
  },
  DONE: { ...ENDED, expire: 'DONE' },
  FAILED: ENDED,
  CANCELED: ENDED,
};

/** Errors of the export itself before it is FAILED. */
export const MAX_ERRORS = 3;
/** Losses of a worker, a shutdown or a link before it is FAILED. */
export const MAX_LOSSES = 20;

/** What an event asks of the database: the states it applies in, and the state it leads to. */
export interface Transition {
  from: ExportStatus[];
  to: ExportStatus;
}

/** The table read by event, for the SQL that applies it. */
export function transition(event: ExportEvent): Transition {
  const from = EXPORT_STATUSES.filter((status) => LIFE_CYCLE[status][event] !== null);
  const targets = new Set(from.map((status) => LIFE_CYCLE[status][event]));
  const [to] = targets;
  if (targets.size !== 1 || !to) throw new Error(`${event} must lead to one state`);
  return { from, to };
}

/** Milliseconds to wait before the try after the given number of errors. */
export function retryDelayMs(errors: number): number {
  return Math.min(60_000, 2_000 * 4 ** Math.max(0, errors - 1));
}
