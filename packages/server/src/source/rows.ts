/** Reads the rows of one export from one snapshot, in order. */
import { setTimeout as delay } from 'node:timers/promises';
import type { ExportType } from '@tillroll/contract';
import { readSnapshot, type Snapshot } from '../database/backend.ts';
import { cancelStatement } from '../database/cancel.ts';
import { isConnectionLoss, isRecoveryConflict } from '../database/faults.ts';
import type { Connection, Pool, PoolClient } from '../database/pool.ts';
import { exportHead } from '../database/session.ts';
import { CopyOut } from './copy-out.ts';
import { ObjectTooLarge, type RowFrame } from './frames.ts';
import {
  copyParts,
  findRelation,
  HAS_COLUMNS,
  NO_FIELDS,
  ROW_LAYOUTS,
  type CopyPart,
  type RowLayout,
  type Selection,
} from './statement.ts';

/** The platform's database could not be read, or gave rows that break the order. */
export class SourceError extends Error {
  override name = 'SourceError';
}

/** The rows broke the order: they will again, unless the source is changed. */
export class SourceDisordered extends SourceError {
  override name = 'SourceDisordered';
}

/** The source is a copy of the database that does not have yet what the export must hold. */
export class SourceBehind extends SourceError {
  override name = 'SourceBehind';
}

/** The database sent nothing for too long. */
export class SourceSilent extends SourceError {
  override name = 'SourceSilent';
}

/** The link to the database broke, or a standby ended the statement: not the fault of the export. */
export class SourceLost extends Error {
  override name = 'SourceLost';
}

/** A source that is silent for so long is given up. A first sort of a big range may take a while. */
const SILENCE_MS = 5 * 60_000;

/** A copy that is behind for so long is given up for this attempt. */
const BEHIND_MS = 60_000;
const BEHIND_POLL_MS = 250;

/** The server ends a statement whose client has gone away within this. */
const CHECK_CLIENT_SECONDS = 2;

/** The database that objects are read from. */
export interface Source {
  readonly connection: Connection;
  /** Connections of exports alone, one for each at a time. */
  readonly pool: Pool;
  /** True when it has an address of its own: the rest of the service may work while it is away. */
  readonly isSeparate: boolean;
  /** Longest silence of the database, milliseconds; by default 5 minutes. */
  readonly silenceMs?: number;
  /** Longest wait for a snapshot that is accepted, milliseconds; by default one minute. */
  readonly behindMs?: number;
}

/**
 * Asked at the beginning of each snapshot, before its rows are read, in its transaction.
 * @returns null, or why the snapshot is too old: then a later one is tried. It throws to stop the reading.
 */
export type AcceptSnapshot = (client: PoolClient, snapshot: Snapshot) => Promise<string | null>;

/**
 * Every object of a selection, in order of `createdTime` and id, from one snapshot, in batches as they
 * come off the socket. Reads only as far as it is asked to: a slow reader slows PostgreSQL down. The
 * statement ends with the reading: a cancel request comes first, then the connection is closed.
 * @throws SourceError, SourceLost, ObjectTooLarge; the signal's reason when aborted; what `accept` throws.
 */
export async function* readRows(
  source: Source,
  selection: Selection,
  signal: AbortSignal,
  accept: AcceptSnapshot,
): AsyncGenerator<RowFrame[]> {
  const { connection, pool, silenceMs = SILENCE_MS } = source;
  signal.throwIfAborted();
  const client = await connect(source);
  const link = watchLink(client);
  let isCopying = false;
  let failure: unknown = new Error('the rows were not read to their end');
  const acceptNext: AcceptNext = async () => {
    const snapshot = await begin(pool, client);
    return accept(client, snapshot).catch((cause: unknown) => {
      failure = cause;
      throw cause;
    });
  };
  try {
    await waitUntilAccepted(source, client, acceptNext, signal);
    const layout = await readLayout(client, selection.type);
    for (const part of copyParts(selection, layout)) {
      isCopying = true;
      const copy = client.query(new CopyOut(part));
      yield* inOrder(withDeadline(copy, silenceMs, signal), part);
      isCopying = false;
    }
    await client.query('COMMIT');
    failure = null;
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    // The address may lead to another server by now; connections that are idle still lead to this one.
    if (error instanceof SourceBehind) pool.renew();
    if (error === failure) throw error;
    if (error instanceof ObjectTooLarge || error instanceof SourceError) throw error;
    if (link.isBroken()) throw new SourceLost(BROKEN, { cause: error });
    throw explainSourceError(error);
  } finally {
    // Closing the connection alone would leave a statement that sleeps or sorts to its own pace.
    if (isCopying && !link.isBroken()) await cancelStatement(connection, client);
    link.release();
    client.release(failure !== null);
  }
}

/** Says what an error of the source's server means for the export. */
export function explainSourceError(cause: unknown): SourceError | SourceLost {
  if (isConnectionLoss(cause)) return new SourceLost(BROKEN, { cause });
  if (isRecoveryConflict(cause))
    return new SourceLost('the standby ended the statement', { cause });
  return new SourceError('reading the objects failed', { cause });
}

const BROKEN = 'the link to the database broke';

async function connect({ pool, isSeparate }: Source): Promise<PoolClient> {
  return pool.connect().catch((cause: unknown) => {
    // Where the rest of the database answers, the source alone is away: that is the reason to give.
    throw isSeparate
      ? new SourceError('no connection to the source', { cause })
      : new SourceLost('no connection to the database', { cause });
  });
}

/** Begins a transaction and asks about its snapshot: null, or why it is too old. */
type AcceptNext = () => Promise<string | null>;

/**
 * Waits until a snapshot is accepted. In between no transaction is open: the snapshot of one would keep a standby from
 * replaying.
 */
async function waitUntilAccepted(
  { behindMs = BEHIND_MS }: Source,
  client: PoolClient,
  acceptNext: AcceptNext,
  signal: AbortSignal,
): Promise<void> {
  const until = performance.now() + behindMs;
  for (;;) {
    const fault = await acceptNext();
    if (fault === null) return;
    if (performance.now() > until) throw new SourceBehind(`${fault} (waited ${behindMs / 1000} s)`);
    await client.query('ROLLBACK');
    await delay(BEHIND_POLL_MS, undefined, { signal });
  }
}

/** Begins the transaction of an export. @returns the server's side of it. */
async function begin(pool: Pool, client: PoolClient): Promise<Snapshot> {
  await client.query(exportHead(pool.readFacts(client)));
  try {
    // Some systems cannot, and some servers refuse it.
    await client.query(
      `SAVEPOINT check_client; SET LOCAL client_connection_check_interval = '${CHECK_CLIENT_SECONDS}s'; RELEASE check_client`,
    );
  } catch (error) {
    if (isConnectionLoss(error)) throw error;
    await client.query('ROLLBACK TO check_client');
  }
  return readSnapshot(client);
}

/** Finds the columns that the relation of a type has for totals: all of them or, behind a view with fewer columns, nothing. */
async function readLayout(client: PoolClient, type: ExportType): Promise<RowLayout> {
  const { texts, integers } = ROW_LAYOUTS[type];
  const values = [findRelation(type), texts, integers];
  const { rows } = await client.query<{ found: boolean }>(HAS_COLUMNS, values);
  return rows[0]?.found ? ROW_LAYOUTS[type] : NO_FIELDS;
}

/** Notices when the link breaks, whatever is under way on it. */
function watchLink(client: PoolClient): { isBroken(): boolean; release(): void } {
  let broken = false;
  const onError = (): void => {
    broken = true;
  };
  client.on('error', onError);
  return {
    isBroken: () => broken,
    release: () => client.off('error', onError),
  };
}

/** Checks that the rows come in the expected order: the whole export depends on it. */
async function* inOrder(
  batches: AsyncIterable<RowFrame[]>,
  { from, to }: CopyPart,
): AsyncGenerator<RowFrame[]> {
  let last = from;
  for await (const frames of batches) {
    for (const { position } of frames) {
      // A view in place of our table could break it.
      if (position < last || position >= to) {
        throw new SourceDisordered(`the source broke the order: ${position} after ${last}`);
      }
      last = position;
    }
    yield frames;
  }
}

/** The rows; ends them when the signal aborts or when nothing comes for `silenceMs`. */
async function* withDeadline(
  copy: CopyOut,
  silenceMs: number,
  signal: AbortSignal,
): AsyncGenerator<RowFrame[]> {
  const silence = (): NodeJS.Timeout =>
    setTimeout(
      () => copy.abandon(new SourceSilent(`the database sent nothing for ${silenceMs / 1000} s`)),
      silenceMs,
    );
  const onAbort = (): void => copy.abandon(new Error('aborted'));
  signal.addEventListener('abort', onAbort, { once: true });
  // It may have aborted while the connection was being made.
  if (signal.aborted) onAbort();
  let timer = silence();
  try {
    for await (const frames of copy.frames()) {
      // While the taker is busy the silence is ours, not the database's.
      clearTimeout(timer);
      yield frames;
      timer = silence();
    }
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}
