/** Hears of changes of exports for the requests that wait for them. */
import type { Connection } from '../database/connection.ts';
import { deliversNotifications, listen } from '../database/listener.ts';
import type { Pool } from '../database/pool.ts';
import { ExportWatch, WATCH_LIMITS } from '../exports/watch.ts';
import type { RepeatedWarnings } from '../repeated-warnings.ts';
import type { Parts } from './parts.ts';

/** The trigger on `tillroll.exports` notifies it. */
const CHANNEL = 'tillroll_exports';

/**
 * Tells a watch of each export that changes, by one connection that listens. Behind a pooler, which delivers no
 * notifications, the watch's own clock is all there is.
 * @returns what ends it.
 */
export async function heedChanges(
  connection: Connection,
  pool: Pool,
  watch: ExportWatch,
): Promise<() => Promise<void>> {
  if (!(await deliversNotifications(connection, pool))) return () => Promise.resolve();
  const listener = await listen(
    connection,
    CHANNEL,
    (exportId) => watch.changed(exportId),
    () => watch.changedAll(),
  );
  return () => listener.close();
}

/** Starts the watch of a process that answers requests. */
export async function startWatch(
  connection: Connection,
  pool: Pool,
  parts: Parts,
  warnings: Pick<RepeatedWarnings, 'warn'>,
): Promise<ExportWatch> {
  const watch = new ExportWatch(pool, WATCH_LIMITS, (error) => warnings.warn('waiting', error));
  const stop = await heedChanges(connection, pool, watch);
  parts.addStanding({ name: 'notifications of exports', close: stop });
  // Those who wait are answered at once when the service stops.
  parts.addDraining({ name: 'waiting requests', close: () => Promise.resolve(watch.close()) });
  return watch;
}
