/** Reads the progress of an open export: its place in the queue, what was read, and when it should be done. */
import type { ExportProgress } from '@tillroll/contract';
import type { Queryable } from '../database/pool.ts';
import * as sql from './sql.ts';

interface ProgressRow {
  status: 'PENDING' | 'IN_PROGRESS';
  objects: number;
  percentComplete: number;
  /** Since the current attempt began, or the last one; null before the first. */
  elapsedMs: number | null;
  now: number;
  queuePosition: number;
  running: number;
  /** The average duration of the last exports; null when none is done. */
  usualMs: number | null;
}

/** The progress of an open export; null when it has ended. */
export async function readProgress(
  database: Queryable,
  exportId: string,
): Promise<ExportProgress | null> {
  const { rows } = await database.query<ProgressRow>(sql.readProgress, [exportId]);
  const [row] = rows;
  if (!row) return null;
  const { queuePosition, objects, now } = row;
  const leftMs = estimateLeft(row);
  return {
    queuePosition,
    objects,
    estimatedCompletionTime: leftMs === null ? null : now + Math.round(leftMs),
  };
}

/** Milliseconds until it should be done; null where there is nothing to judge by. */
function estimateLeft(row: ProgressRow): number | null {
  const { status, percentComplete, elapsedMs, usualMs, queuePosition, running } = row;
  if (status === 'IN_PROGRESS' && elapsedMs !== null && percentComplete > 0)
    return (elapsedMs * (100 - percentComplete)) / percentComplete;
  if (usualMs === null) return null;
  // Those before it and itself, over as many workers as are busy.
  const turns = status === 'PENDING' ? Math.floor(queuePosition / Math.max(1, running)) + 1 : 1;
  return turns * usualMs;
}
