import pg from "pg";
import { setTimeout as delay } from "node:timers/promises";
import { join as joinPath } from "node:path";
import type { Cluster } from "./cluster.ts";
import { hasCode } from "./directories.ts";
import { isPostmaster, readNote, removeStale, type Note } from "./pidfile.ts";
import {
  isGone,
  logDirectory,
  signalProcess,
  startPostmaster,
  stopPostmaster,
  type Attempt,
} from "./postmaster.ts";

const JOIN_BOUND_MS = 30_000;
/** After a crash a postmaster may have 4 GB of log to replay; while it lives and does so, we wait. */
const RECOVERY_BOUND_MS = 10 * 60_000;
const LOCK_BOUND_MS = 5_000;
const POLL_MS = 10;
const OUTRUN_PAUSE_MS = 100;

/** The advisory lock, shared by all who use the cluster, alone for the one who stops it. */
const LOCK = "1953066092, 1919904876";

/** A session that holds the shared lock: whoever has it may count on PostgreSQL staying up. */
export interface Joined {
  readonly client: pg.Client;
  readonly host: string;
  readonly port: number;
}

/** Connects, or starts PostgreSQL and connects; races with others who start or stop it are rounds of a bounded loop. */
export async function join(cluster: Cluster, signal: AbortSignal): Promise<Joined> {
  const began = performance.now();
  let deadline = began + JOIN_BOUND_MS;
  let attempt: Attempt | null = null;
  let last: unknown;
  try {
    for (;;) {
      signal.throwIfAborted();
      if (performance.now() > deadline) throw tooLong(cluster, performance.now() - began, last);
      const note = await readNote(cluster.data);
      const running = note !== null && (await isPostmaster(note.pid, cluster.data));
      let answered = false;
      // Also without a process that we can see: it may run in another container on the same volume.
      if (note?.host && (note.ready || !running)) {
        try {
          const joined = await enter(cluster, { host: note.host, port: note.port }, signal);
          attempt?.release();
          return joined;
        } catch (error) {
          signal.throwIfAborted();
          refuseStranger(error, cluster);
          last = error;
          answered = !hasCode(error, "ECONNREFUSED", "ENOENT");
        }
      }
      const outcome = await attempt?.outcome();
      if (outcome) {
        last = new Error(`PostgreSQL did not start in ${cluster.home}: ${outcome.fault}`);
        if (!outcome.outrun) throw last;
        attempt = null;
        await delay(OUTRUN_PAUSE_MS, undefined, { signal });
        continue;
      }
      if (!running && !answered && attempt === null) attempt = await start(cluster, note);
      else if (running && !note.ready) {
        deadline = Math.min(performance.now() + JOIN_BOUND_MS, began + RECOVERY_BOUND_MS);
      }
      await delay(POLL_MS, undefined, { signal });
    }
  } catch (error) {
    if (attempt) await withdraw(cluster, attempt);
    throw signal.aborted ? signal.reason : error;
  }
}

/** The last one out turns off the light; everybody else just leaves. */
export async function leave(cluster: Cluster, client: pg.Client): Promise<void> {
  try {
    if (await isLast(client)) await stopPostmaster(cluster);
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function isLast(client: pg.Client): Promise<boolean> {
  try {
    await client.query(`SELECT pg_advisory_unlock_shared(${LOCK})`);
    const { rows } = await client.query<{ last: boolean }>(
      `SELECT pg_try_advisory_lock(${LOCK}) AS last`,
    );
    return rows[0]?.last ?? false;
  } catch {
    // The session is gone and the lock with it; whoever ended it decides about PostgreSQL.
    return false;
  }
}

async function enter(
  cluster: Cluster,
  address: { host: string; port: number },
  signal?: AbortSignal,
): Promise<Joined> {
  const client = await connect(cluster, address);
  const abort = (): void => void client.end().catch(() => undefined);
  signal?.addEventListener("abort", abort, { once: true });
  try {
    await client.query(`SET lock_timeout = ${LOCK_BOUND_MS}`);
    await client.query(`SELECT pg_advisory_lock_shared(${LOCK})`);
    signal?.throwIfAborted();
    return { client, ...address };
  } catch (error) {
    await client.end().catch(() => undefined);
    throw error;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

async function connect(
  cluster: Cluster,
  address: { host: string; port: number },
): Promise<pg.Client> {
  const client = new pg.Client({
    ...address,
    user: cluster.user,
    password: cluster.password,
    database: "postgres",
    // Not what PGSSLMODE says: the socket has no TLS.
    ssl: false,
    application_name: "tillroll presence",
    connectionTimeoutMillis: LOCK_BOUND_MS,
    query_timeout: 2 * LOCK_BOUND_MS,
  });
  // A lost connection must not end the process; the pools report it where it matters.
  client.on("error", () => undefined);
  try {
    await client.connect();
    return client;
  } catch (error) {
    await client.end().catch(() => undefined);
    throw error;
  }
}

async function start(cluster: Cluster, note: Note | null): Promise<Attempt> {
  if (note) await removeStale(cluster.data, note);
  return await startPostmaster(cluster);
}

/** A start that fails or is aborted takes its postmaster along, unless somebody already uses it. */
async function withdraw(cluster: Cluster, attempt: Attempt): Promise<void> {
  attempt.release();
  const pid = attempt.child.pid;
  if (pid === undefined || attempt.child.exitCode !== null || attempt.child.signalCode !== null)
    return;
  const note = await readNote(cluster.data);
  if (note?.pid === pid && note.host && note.ready) {
    const client = await connect(cluster, { host: note.host, port: note.port }).catch(() => null);
    if (client) return await leave(cluster, client);
  }
  signalProcess(pid, "SIGINT");
  await isGone(pid, cluster.data, LOCK_BOUND_MS);
}

function refuseStranger(error: unknown, { home }: Cluster): void {
  if (!hasCode(error, "28P01", "28000", "EACCES")) return;
  throw new Error(
    `The database in ${home} does not accept the password in postgres.json or this user: restore the file, or move both away to start empty`,
    { cause: error },
  );
}

function tooLong(cluster: Cluster, ms: number, cause: unknown): Error {
  const why = cause instanceof Error ? ` (${cause.message})` : "";
  return new Error(
    `PostgreSQL in ${cluster.home} did not answer within ${Math.round(ms / 1000)} s${why}: see ${joinPath(logDirectory(cluster.home), "postgresql-*.log")}`,
    { cause },
  );
}
