import { isConnectionLoss, type Pool } from '../database/pool.ts';
import { CopyOut } from './copy-out.ts';
import { ObjectTooLarge, type RowFrame } from './frames.ts';
import { copyStatement, type Selection } from './statement.ts';

/** The platform's database could not be read, or gave rows that break the order. */
export class SourceError extends Error {
  override name = 'SourceError';
}

/** The rows broke the order: they will again, unless the source is changed. */
export class SourceDisordered extends SourceError {
  override name = 'SourceDisordered';
}

/** The link to the database broke: not the fault of the export. */
export class SourceLost extends Error {
  override name = 'SourceLost';
}

/** A source that is silent for so long is given up. A first sort of a big range may take a while. */
const SILENCE_MS = 5 * 60_000;

/**
 * Every object of a selection, in order of `createdTime` and id, from one snapshot, in batches as they
 * come off the socket. Reads no further than it is asked to: a slow taker slows PostgreSQL down.
 * @throws SourceError, SourceLost, ObjectTooLarge; the signal's reason when aborted.
 */
export async function* readRows(
  pool: Pool,
  selection: Selection,
  signal: AbortSignal,
): AsyncGenerator<RowFrame[]> {
  signal.throwIfAborted();
  const client = await pool.connect().catch((cause: unknown) => {
    throw new SourceLost('no connection to the database', { cause });
  });
  let finished = false;
  let linkError: Error | null = null;
  const onLinkError = (error: Error): void => {
    linkError = error;
  };
  client.on('error', onLinkError);
  try {
    await client.query('BEGIN READ ONLY');
    // The index gives the order for nothing and the first rows at once; a sort would hold all of them.
    await client.query('SET LOCAL enable_sort = off');
    await client.query("SET LOCAL jit = off; SET LOCAL lock_timeout = '30s'");
    // A server's own limit would count the time in which we hold it back; silence is watched here.
    await client.query('SET LOCAL statement_timeout = 0');
    const copy = client.query(new CopyOut(copyStatement(selection)));
    yield* inOrder(withDeadline(copy, signal), selection);
    await client.query('COMMIT');
    finished = true;
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (error instanceof ObjectTooLarge || error instanceof SourceError) throw error;
    if (linkError !== null || isConnectionLoss(error)) {
      throw new SourceLost('the link to the database broke', { cause: error });
    }
    throw new SourceError('reading the objects failed', { cause: error });
  } finally {
    client.off('error', onLinkError);
    // A connection with a COPY under way cannot be reused; closing it ends the statement.
    client.release(!finished);
  }
}

/** Sees to it that the rows come as promised: the whole export rests on their order. */
async function* inOrder(
  batches: AsyncIterable<RowFrame[]>,
  selection: Selection,
): AsyncGenerator<RowFrame[]> {
  let last = selection.startTime;
  for await (const frames of batches) {
    for (const { createdTime } of frames) {
      // A view in place of our table could break it.
      if (createdTime < last || createdTime >= selection.endTime) {
        throw new SourceDisordered(`the source broke the order: ${createdTime} after ${last}`);
      }
      last = createdTime;
    }
    yield frames;
  }
}

/** The rows; ends them when the signal aborts or when nothing comes for `SILENCE_MS`. */
async function* withDeadline(copy: CopyOut, signal: AbortSignal): AsyncGenerator<RowFrame[]> {
  const silence = (): NodeJS.Timeout =>
    setTimeout(
      () => copy.abandon(new SourceError(`the database sent nothing for ${SILENCE_MS / 1000} s`)),
      SILENCE_MS,
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
