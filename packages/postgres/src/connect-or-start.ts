import { setTimeout as delay } from 'node:timers/promises';
import { join } from 'node:path';
import type { Cluster } from './cluster.ts';
import { findPostmaster, startPostgres } from './control.ts';
import { hasCode } from './directories.ts';
import { readPostmasterStatus } from './postmaster-status.ts';
import { openSession, type ClusterSession } from './session.ts';

/** Longest time of a postmaster that this process did not start: it may replay 4 GB of log. */
const READY_BOUND_MS = 10 * 60_000;
const POLL_MS = 20;

/**
 * Connects to PostgreSQL, and starts it first when it is stopped. Called with the start lock.
 * @throws Error saying why it does not start, or that the password is wrong; the signal's reason.
 */
export async function connectOrStart(
  cluster: Cluster,
  signal: AbortSignal,
): Promise<ClusterSession> {
  const until = performance.now() + READY_BOUND_MS;
  let last: unknown;
  while (performance.now() < until) {
    signal.throwIfAborted();
    const status = await readPostmasterStatus(cluster.data);
    let answers = false;
    // Also without a process that can be seen: it may run in another container on the same volume.
    if (status?.host) {
      try {
        return await openSession(cluster, { host: status.host, port: status.port }, signal);
      } catch (error) {
        signal.throwIfAborted();
        refuseWrongPassword(error, cluster);
        last = error;
        answers = !hasCode(error, 'ECONNREFUSED', 'ENOENT');
      }
    }
    // One that runs is starting, recovering or stopping: it is waited for.
    if (answers || (await findPostmaster(cluster)) !== null)
      await delay(POLL_MS, undefined, { signal });
    else await startPostgres(cluster, signal);
  }
  const why = last instanceof Error ? ` (${last.message})` : '';
  throw new Error(
    `PostgreSQL in ${cluster.home} did not answer within ${READY_BOUND_MS / 60_000} min${why}: see ${join(cluster.home, 'log')}`,
    { cause: last },
  );
}

function refuseWrongPassword(error: unknown, { home }: Cluster): void {
  if (!hasCode(error, '28P01', '28000', 'EACCES')) return;
  throw new Error(
    `The database in ${home} does not accept the password in postgres.json or this user: restore the file, or move both away to start empty`,
    { cause: error },
  );
}
