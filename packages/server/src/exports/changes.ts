/** Finds where an export of changes begins and ends. */
import type { Pool, Queryable } from '../database/pool.ts';
import { write } from '../database/transaction.ts';
import * as sql from './changes-sql.ts';
import type { ChangeFeed, ChangePoint, Cursors } from './cursor.ts';

/** Before every load, and before the objects that were there when numbers began. */
export const BEGINNING = -1;

/** The cursor was altered, or is one of another merchant, type or database: 400. */
export class BadCursor extends Error {
  override name = 'BadCursor';
}

/** The cursor was good once; since then a deletion may have been missed, or the database is an older one: 410. */
export class CursorGone extends Error {
  override name = 'CursorGone';
}

/**
 * The number after which changes are asked for.
 * @param since the text of a request; empty: from the beginning.
 * @throws BadCursor, CursorGone
 */
export async function resolveSince(
  database: Queryable,
  cursors: Cursors,
  feed: ChangeFeed,
  since: string,
): Promise<number> {
  if (since === '') return BEGINNING;
  const point = cursors.decode(feed, since);
  if (!point)
    throw new BadCursor(
      'since is not a cursor of this merchant and type: it must be the cursor of an export, unchanged, or empty',
    );
  const { rows } = await database.query<{ floor: number; mark: string | null }>(sql.findLoad, [
    feed.merchantId,
    feed.type,
    point.number,
  ]);
  const { floor = 0, mark = null } = rows[0] ?? {};
  if (point.number < floor || (mark ?? '') !== point.mark)
    throw new CursorGone(
      'the changes after this cursor are not complete any more; start again with since empty',
    );
  return point.number;
}

/** The last load that a snapshot shows. */
export async function readHead(snapshot: Queryable, feed: ChangeFeed): Promise<ChangePoint> {
  const { rows } = await snapshot.query<ChangePoint>(sql.readHead, [feed.merchantId, feed.type]);
  return rows[0] ?? { number: 0, mark: '' };
}

/** Rows of one statement, so that none takes long. */
const BATCH = 10_000;

/** Drops tombstones of that age, and marks of loads. @returns how many tombstones. */
export async function dropOldChanges(pool: Pool, ageMs: number): Promise<number> {
  let dropped = 0;
  for (;;) {
    const { rows } = await write<{ dropped: number }>(pool, sql.dropTombstones, [ageMs, BATCH]);
    const some = rows[0]?.dropped ?? 0;
    dropped += some;
    if (some < BATCH) break;
  }
  while ((await write(pool, sql.dropLoads, [ageMs, BATCH])).rowCount === BATCH) continue;
  return dropped;
}
