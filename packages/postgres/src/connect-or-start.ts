import { setTimeout as delay } from 'node:timers/promises';
import { join } from 'node:path';
import type { Cluster } from './cluster.ts';
import { hasCode } from './directories.ts';
import {
  isPostmaster,
  readPostmasterStatus,
  removeStale,
  type PostmasterStatus,
} from './postmaster-status.ts';
import {
  isGone,
  logDirectory,
  signalProcess,
  startPostmaster,
  type Attempt,
} from './postmaster.ts';
import { connect, openSession, releaseSession, type ClusterSession } from './session.ts';

const CONNECT_BOUND_MS = 30_000;
/** After a crash a postmaster may have 4 GB of log to replay: as long as it runs, this waits. */
const RECOVERY_BOUND_MS = 10 * 60_000;
const POLL_MS = 10;
const WITHDRAW_BOUND_MS = 5_000;
const LOST_RACE_PAUSE_MS = 100;

/** Connects, or starts PostgreSQL and connects. A lost race with another process that starts or stops it is another round of a bounded loop. */
export async function connectOrStart(
  cluster: Cluster,
  signal: AbortSignal,
): Promise<ClusterSession> {
  const began = performance.now();
  let deadline = began + CONNECT_BOUND_MS;
  let attempt: Attempt | null = null;
  let last: unknown;
  try {
    for (;;) {
      signal.throwIfAborted();
      if (performance.now() > deadline) throw tooLong(cluster, performance.now() - began, last);
      const note = await readPostmasterStatus(cluster.data);
      const running = note !== null && (await isPostmaster(note.pid, cluster.data));
      let answered = false;
      // Also without a process that we can see: it may run in another container on the same volume.
      if (note?.host && (note.ready || !running)) {
        try {
          const session = await openSession(cluster, { host: note.host, port: note.port }, signal);
          attempt?.release();
          return session;
        } catch (error) {
          signal.throwIfAborted();
          refuseWrongPassword(error, cluster);
          last = error;
          answered = !hasCode(error, 'ECONNREFUSED', 'ENOENT');
        }
      }
      const outcome = await attempt?.outcome();
      if (outcome) {
        last = new Error(`PostgreSQL did not start in ${cluster.home}: ${outcome.fault}`);
        if (!outcome.lostRace) throw last;
        attempt = null;
        await delay(LOST_RACE_PAUSE_MS, undefined, { signal });
        continue;
      }
      if (!running && !answered && attempt === null) attempt = await start(cluster, note);
      else if (running && !note.ready) {
        deadline = Math.min(performance.now() + CONNECT_BOUND_MS, began + RECOVERY_BOUND_MS);
      }
      await delay(POLL_MS, undefined, { signal });
    }
  } catch (error) {
    if (attempt) await withdraw(cluster, attempt);
    throw signal.aborted ? signal.reason : error;
  }
}

async function start(cluster: Cluster, note: PostmasterStatus | null): Promise<Attempt> {
  if (note) await removeStale(cluster.data, note);
  return await startPostmaster(cluster);
}

/** Stops the postmaster of a start that failed or was aborted, unless another process already uses it. */
async function withdraw(cluster: Cluster, attempt: Attempt): Promise<void> {
  attempt.release();
  const pid = attempt.child.pid;
  if (pid === undefined || attempt.child.exitCode !== null || attempt.child.signalCode !== null)
    return;
  const note = await readPostmasterStatus(cluster.data);
  if (note?.pid === pid && note.host && note.ready) {
    const client = await connect(cluster, { host: note.host, port: note.port }).catch(() => null);
    if (client) return await releaseSession(cluster, client);
  }
  signalProcess(pid, 'SIGINT');
  await isGone(pid, cluster.data, WITHDRAW_BOUND_MS);
}

function refuseWrongPassword(error: unknown, { home }: Cluster): void {
  if (!hasCode(error, '28P01', '28000', 'EACCES')) return;
  throw new Error(
    `The database in ${home} does not accept the password in postgres.json or this user: restore the file, or move both away to start empty`,
    { cause: error },
  );
}

function tooLong(cluster: Cluster, ms: number, cause: unknown): Error {
  const why = cause instanceof Error ? ` (${cause.message})` : '';
  return new Error(
    `PostgreSQL in ${cluster.home} did not answer within ${Math.round(ms / 1000)} s${why}: see ${join(logDirectory(cluster.home), 'postgresql-*.log')}`,
    { cause },
  );
}
