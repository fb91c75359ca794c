/** Decides whether a snapshot of the source is new enough for an export. */
import { hasReplayed, readServerIdentity } from '../database/server-identity.ts';
import type { Pool, Queryable } from '../database/pool.ts';
import { canReadExports, hasExport, recordWalPosition } from '../exports/freshness.ts';
import type { Attempt } from '../exports/attempts.ts';
import { explainSourceError } from '../source/rows.ts';
import { AttemptStopped } from './attempt-stop.ts';

const NOT_REPLAYED = 'the source has not replayed what was committed before the export was created';
const LEFT =
  'the source left its primary, which DATABASE_URL leads to: it will not get this export';

/**
 * Tells whether a snapshot of the source holds what was committed before the export was created.
 * @returns null when it does, else why not.
 */
export type FreshnessCheck = (snapshot: Queryable) => Promise<string | null>;

/**
 * Makes the check of one attempt. A copy of the database shows the export's own row once it has replayed the
 * transaction that created it, and a copy that left its primary before never does. Where that row cannot be
 * seen, as from another database of the same servers, positions in the write-ahead log are compared. Of
 * another system nothing is asked. Either address may lead to another server than before, so each snapshot
 * is checked by itself.
 */
export function createFreshnessCheck(pool: Pool, attempt: Attempt): FreshnessCheck {
  let position: string | null = null;
  let replayedOn: string | null = null;

  return async (snapshot) => {
    const source = await ask(readServerIdentity(snapshot));
    const main = await readServerIdentity(pool);
    if (source.system !== main.system) return null;
    const isSameDatabase = source.database === main.database;
    if (isSameDatabase && (await ask(canReadExports(snapshot)))) {
      if (await ask(hasExport(snapshot, attempt.exportId))) return null;
      return source.inRecovery ? NOT_REPLAYED : LEFT;
    }
    if (!source.inRecovery) return source.started === main.started ? null : LEFT;
    position ??= await recordWalPosition(pool, attempt);
    if (position === null) throw new AttemptStopped('superseded');
    // Replaying continues while the question is answered, and this snapshot began before it: an answer holds
    // for the snapshots that begin after it.
    const wasReplayed = replayedOn === source.started;
    replayedOn = (await ask(hasReplayed(snapshot, position))) ? source.started : null;
    return wasReplayed ? null : NOT_REPLAYED;
  };
}

/** An error of a question to the source's server is the source's. */
async function ask<T>(question: Promise<T>): Promise<T> {
  return question.catch((error: unknown) => {
    throw explainSourceError(error);
  });
}
