/** The events of a process, as an interface for whoever counts them: see `metrics`. */
/** The outcome of an attempt at an export. `unrecorded`: the database could not be told. */
export type AttemptOutcome = 'done' | 'failed' | 'will be retried' | 'superseded' | 'unrecorded';

/** The steps of an attempt. `read` is the wait for rows; `write` compresses and stores, while the next rows come. */
export const STEPS = ['claim', 'read', 'write', 'commit'] as const;
export type Step = (typeof STEPS)[number];

export const STORAGE_OPERATIONS = [
  'write',
  'sync',
  'read',
  'remove',
  'list',
  'identity',
  'check',
] as const;
export type StorageOperation = (typeof STORAGE_OPERATIONS)[number];
export type StorageResult = 'ok' | 'missing' | 'aborted' | 'error';

/** `redirected`: the client was sent to the store, which serves the file. */
export type DownloadResult = 'complete' | 'cut' | 'redirected';

/** Use of a pool of connections. The two sums begin with the process. */
export interface PoolUsage {
  readonly max: number;
  readonly open: number;
  readonly idle: number;
  /** Callers that wait for a connection now. */
  readonly waiting: number;
  /** Connections that were asked for so far, and the milliseconds that their callers waited. */
  readonly asked: number;
  readonly waitedMs: number;
}

/**
 * Is told what happens, so that it can be counted. Calls are cheap and never throw. No argument may name a
 * merchant, an export or a path: each becomes a label, whose values must be few.
 */
export interface Observer {
  exportCreated(type: string): void;
  /** @param reason the failure code; `shutdown` or `lost` for an interruption; `none` when it is done. */
  attemptEnded(outcome: AttemptOutcome, reason: string): void;
  stepTook(step: Step, ms: number): void;
  objectsRead(objects: number, bytes: number): void;
  storageCalled(operation: StorageOperation, result: StorageResult, ms: number): void;
  /** @param objects of files that were sent whole; 0 for a part. @param bytes sent, headers included. */
  downloadEnded(result: DownloadResult, objects: number, bytes: number): void;
  /** @param route its pattern, or `none`. @param status null when the caller left before there was one. */
  requestAnswered(request: {
    route: string;
    method: string;
    status: number | null;
    ms: number;
  }): void;
  authenticationFailed(reason: string): void;
  /** Adds to what is open of a kind; the count is read when somebody looks. */
  watchOpen(kind: 'downloads' | 'uploads', count: () => number): void;
  watchPool(name: string, pool: { readonly usage: PoolUsage }): void;
}

const ignore = (): void => undefined;

/** For a process whose metrics nobody asked for. */
export const UNOBSERVED: Observer = {
  exportCreated: ignore,
  attemptEnded: ignore,
  stepTook: ignore,
  objectsRead: ignore,
  storageCalled: ignore,
  downloadEnded: ignore,
  requestAnswered: ignore,
  authenticationFailed: ignore,
  watchOpen: ignore,
  watchPool: ignore,
};
