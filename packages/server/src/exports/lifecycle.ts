/** The life cycle of an export: its states, its events and its counts of tries. */
import { EXPORT_STATUSES, type ExportStatus } from '@tillroll/contract';

/**
 * Events of an export.
 * - `claim`: a worker takes it up; in IN_PROGRESS that is a take-over after an interruption.
 * - `complete`: the current attempt committed its manifest.
 * - `retry`: the attempt failed through a fault of the export itself, and tries are left.
 * - `release`: the attempt ended through no fault of the export: shutdown, lost link, lost job.
 * - `fail`: no tries are left.
 * - `cancel`: the caller or the operator wants it no more.
 * - `expire`: `availableUntil` has passed.
 * - `delete`: the caller wants the files gone before their time.
 * - `reopen`: the operator's command `exports retry`.
 */
export const EXPORT_EVENTS = [
  'claim',
  'complete',
  'retry',
  'release',
  'fail',
  'cancel',
  'expire',
  'delete',
  'reopen',
] as const;
export type ExportEvent = (typeof EXPORT_EVENTS)[number];

/** The effect of each event in one state. */
type Row = Readonly<Record<ExportEvent, ExportStatus | null>>;

/** An export that is DONE stays so. */
const ENDED: Row = {
  claim: null,
  complete: null,
  retry: null,
  release: null,
  fail: null,
  cancel: null,
  expire: null,
  delete: null,
  reopen: null,
};

/** The state after an event, or null where the event changes nothing. Total: the compiler checks it. */
export const LIFE_CYCLE: Readonly<Record<ExportStatus, Row>> = {
  PENDING: {
    claim: 'IN_PROGRESS',
    complete: null,
    retry: null,
    release: 'PENDING',
    fail: 'FAILED',
    cancel: 'CANCELED',
    expire: null,
    delete: null,
    reopen: null,
  },
  IN_PROGRESS: {
    claim: 'IN_PROGRESS',
    complete: 'DONE',
    retry: 'PENDING',
    release: 'PENDING',
    fail: 'FAILED',
    cancel: 'CANCELED',
    expire: null,
    delete: null,
    reopen: null,
  },
  DONE: { ...ENDED, expire: 'DONE', delete: 'DONE' },
  // Nobody but the operator brings these back.
  FAILED: { ...ENDED, reopen: 'PENDING' },
  CANCELED: { ...ENDED, reopen: 'PENDING' },
};

/**
 * Pauses between the tries of an export that fails: the first ones are short, for what passes by itself;
 * the later ones give a person time to free a disk or repair a view. 21 minutes in all.
 */
const RETRY_PAUSES_MS: readonly number[] = [5, 15, 45, 120, 240, 360, 480].map((s) => s * 1000);
/** Each pause is longer or shorter by up to so much, so that exports which failed together do not return together. */
const JITTER = 0.2;

/** Errors of the export itself before it is FAILED: one more than there are pauses. */
export const MAX_ERRORS = RETRY_PAUSES_MS.length + 1;
/** The same where only other objects would help: tried once more, in case that they have changed already. */
export const MAX_PERMANENT_ERRORS = 2;
/** Interruptions (a lost worker, a shutdown, a lost connection) before it is FAILED. */
export const MAX_INTERRUPTIONS = 20;

/** The states that an event applies in, and the state it leads to, for SQL. */
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

/**
 * Milliseconds to wait before the next try.
 * @param errors errors so far, from 1. @param random 0 to 1, for the jitter.
 */
export function retryDelayMs(errors: number, random = Math.random()): number {
  const pause = RETRY_PAUSES_MS[Math.min(errors, RETRY_PAUSES_MS.length) - 1] ?? 0;
  return Math.round(pause * (1 - JITTER + 2 * JITTER * random));
}

const FIRST_INTERRUPTION_PAUSE_MS = 2_000;
const LAST_INTERRUPTION_PAUSE_MS = 60_000;

/**
 * Milliseconds to wait after a lost link: the server needs a moment, and one that stays away more of it.
 * @param interruptions interruptions so far, from 1.
 */
export function interruptionDelayMs(interruptions: number): number {
  return Math.min(
    LAST_INTERRUPTION_PAUSE_MS,
    FIRST_INTERRUPTION_PAUSE_MS * 2 ** (interruptions - 1),
  );
}
