import { readFile, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Cluster } from './cluster.ts';
import { privateDirectory } from './directories.ts';
import { isPostmaster, readPostmasterStatus, removeStale } from './postmaster-status.ts';
import { faultLine, run, type Outcome } from './run.ts';
import { postmasterOptions } from './settings.ts';
import { removeSocketDirectory } from './socket.ts';

/** After a crash PostgreSQL may have 4 GB of log to replay, seconds. */
const START_BOUND_S = 600;
const STOP_BOUND_S = 30;
const KILL_BOUND_S = 5;
/** Longest time that children of a killed postmaster may block the next one. */
const LEFTOVER_BOUND_MS = 15_000;
const RETRY_MS = 100;
const POLL_MS = 20;
/** Text of PostgreSQL while the resources of a killed postmaster are still in use. */
const LEFTOVER = /still in use|lock file .* already exists/;

/** The process of a cluster's postmaster; null when none of this machine is one. */
export async function findPostmaster({ data }: Pick<Cluster, 'data'>): Promise<number | null> {
  const status = await readPostmasterStatus(data);
  return status && (await isPostmaster(status.pid, data)) ? status.pid : null;
}

/**
 * Starts a stopped PostgreSQL with `pg_ctl start -w`, which returns when it accepts connections.
 * @throws Error with PostgreSQL's own words; the signal's reason, after stopping what was started.
 */
export async function startPostgres(cluster: Cluster, signal: AbortSignal): Promise<void> {
  const { home, account, socketDirectory } = cluster;
  const log = join(home, 'log', 'start.log');
  await privateDirectory(join(home, 'log'), account);
  await privateDirectory(socketDirectory, account);
  const until = performance.now() + LEFTOVER_BOUND_MS;
  for (;;) {
    await removeStale(cluster.data);
    await rm(log, { force: true });
    const options = postmasterOptions(home, socketDirectory);
    // Paths relative to home: pg_ctl hands them to a shell in double quotes.
    const start = [
      'start',
      '-D',
      'data',
      '-w',
      '-t',
      String(START_BOUND_S),
      '-s',
      '-l',
      'log/start.log',
    ];
    const { code, stderr } = await untilStarted(
      cluster,
      runPgCtl(cluster, [...start, '-o', options]),
      signal,
    );
    if (code === 0) return;
    const said = await readFile(log, 'utf8').catch(() => '');
    // Once the log collector runs, faults go to its file.
    const words = /FATAL|PANIC|ERROR/.test(said) ? said : await readLogTail(home);
    if (!LEFTOVER.test(words) || performance.now() > until)
      throw new Error(`PostgreSQL did not start in ${home}: ${faultLine(words || said || stderr)}`);
    await delay(RETRY_MS, undefined, { signal });
  }
}

/** Waits for `pg_ctl start`. After an abort, stops whatever it starts. @throws the signal's reason */
async function untilStarted(
  cluster: Cluster,
  starting: Promise<Outcome>,
  signal: AbortSignal,
): Promise<Outcome> {
  let hasEnded = false;
  const ended = starting.finally(() => (hasEnded = true));
  while (!hasEnded) {
    await Promise.race([ended, delay(POLL_MS)]);
    if (signal.aborted) await stopPostgres(cluster);
  }
  const outcome = await ended;
  signal.throwIfAborted();
  return outcome;
}

/** Stops PostgreSQL: fast, then at once. @throws Error when it does not stop */
export async function stopPostgres(cluster: Cluster): Promise<void> {
  const pid = await findPostmaster(cluster);
  if (pid === null) return;
  const stop = async (mode: string, bound: number): Promise<boolean> => {
    const args = ['stop', '-D', 'data', '-m', mode, '-w', '-t', String(bound), '-s'];
    await runPgCtl(cluster, args);
    return (await findPostmaster(cluster)) === null;
  };
  if (!(await stop('fast', STOP_BOUND_S)) && !(await stop('immediate', KILL_BOUND_S)))
    throw new Error(
      `PostgreSQL (process ${pid}) in ${cluster.home} does not stop: see ${join(cluster.home, 'log')}`,
    );
  await removeSocketDirectory(cluster.home, cluster.socketDirectory);
}

/** A terminal's Ctrl-C does not reach it: a start that is aborted is undone in order. */
async function runPgCtl(cluster: Cluster, args: readonly string[]): Promise<Outcome> {
  const program = join(await cluster.binaries(), 'bin', 'pg_ctl');
  return run(program, args, { account: cluster.account, cwd: cluster.home, detached: true });
}

async function readLogTail(home: string): Promise<string> {
  const directory = join(home, 'log');
  const names = await readdir(directory).catch(() => []);
  const files = await Promise.all(
    names.map(async (name) => ({
      file: join(directory, name),
      age: (await stat(join(directory, name))).mtimeMs,
    })),
  );
  const newest = files.toSorted((a, b) => b.age - a.age)[0];
  return newest ? (await readFile(newest.file, 'utf8')).slice(-4096) : '';
}
