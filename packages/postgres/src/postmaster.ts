import { rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Cluster } from './cluster.ts';
import { privateDirectory, readIfExists } from './files.ts';
import { BOUND_S, findFault, run } from './run.ts';
import { postmasterOptions } from './settings.ts';

const STOP_BOUND_S = 30;
const KILL_BOUND_S = 5;
/** Longest time that children of a killed postmaster may block the next one. */
const LEFTOVER_BOUND_MS = 15_000;
const POLL_MS = 20;
/** Text of PostgreSQL while the resources of a killed postmaster are still in use. */
const LEFTOVER = /still in use|lock file .* already exists/;

type Files = Pick<Cluster, 'data' | 'account'>;

/** The process of a cluster's postmaster; null when none of this machine is one. */
export async function findPostmaster(files: Files): Promise<number | null> {
  const pid = await readPid(files);
  return (await isPostmaster(files, pid)) ? pid : null;
}

/**
 * Starts a stopped PostgreSQL with `pg_ctl start -w`, which returns when it accepts connections.
 * @throws Error with PostgreSQL's own words; the signal's reason, once pg_ctl has told what it started to stop.
 */
export async function startPostgres(cluster: Cluster, signal: AbortSignal): Promise<void> {
  const { home, data, account, connection } = cluster;
  const log = join(home, 'log', 'start.log');
  await privateDirectory(join(home, 'log'), account);
  await privateDirectory(connection.host, account);
  const began = performance.now();
  for (;;) {
    // PostgreSQL refuses to start when the pid in the file is alive, whatever process has that pid now, and when the file
    // is empty, as after a power cut. A dead pid is left to it: it then also looks for children that outlived it.
    if (isAlive(await readPid(cluster))) await rm(join(data, 'postmaster.pid'), { force: true });
    await rm(log, { force: true });
    // Paths relative to home: pg_ctl hands them to a shell in double quotes.
    const options = postmasterOptions(home);
    const waiting = ['-w', `-t${BOUND_S}`, '-llog/start.log', '-o', options];
    const failure = await pgCtl(cluster, ['start', ...waiting], signal).catch(
      (error: Error) => error,
    );
    if (!failure) return;
    signal.throwIfAborted();
    const current = (await readIfExists(join(data, 'current_logfiles'))) ?? '';
    const collected = (await readIfExists(current.trim().replace(/^stderr /, ''))) ?? '';
    // The words from before its log collector took over count first: the log may end with an earlier run.
    const said = `${collected.slice(-4096)}\n${(await readIfExists(log)) ?? ''}`;
    const fault = findFault(said.trim() || failure.message);
    if (!LEFTOVER.test(fault) || performance.now() - began > LEFTOVER_BOUND_MS)
      throw new Error(`PostgreSQL did not start in ${home}: ${fault}`);
    await delay(POLL_MS, undefined, { signal });
  }
}

/** Stops PostgreSQL if it runs: fast, then at once. @throws Error when it does not stop */
export async function stopPostgres(cluster: Cluster): Promise<void> {
  const { home, connection } = cluster;
  const isRunning = async (): Promise<boolean> => (await findPostmaster(cluster)) !== null;
  const stop = (mode: string, bound: number): Promise<unknown> =>
    pgCtl(cluster, ['stop', '-w', `-t${bound}`, '-m', mode]).catch(() => undefined);
  if (await isRunning()) await stop('fast', STOP_BOUND_S);
  if (await isRunning()) await stop('immediate', KILL_BOUND_S);
  if (await isRunning())
    throw new Error(`PostgreSQL in ${home} does not stop: see ${join(home, 'log')}`);
  // It may be outside home.
  await rmdir(connection.host).catch(() => undefined);
}

/** Aborted while it starts PostgreSQL, pg_ctl stops what it started. */
async function pgCtl(cluster: Cluster, args: string[], signal?: AbortSignal): Promise<void> {
  const { home, account, binaries } = cluster;
  const [command = '', ...options] = args;
  const all = [command, '-s', '-D', 'data', ...options];
  await run(join(binaries, 'bin', 'pg_ctl'), all, { account, cwd: home, signal });
}

/**
 * Tells whether this process is the postmaster of this directory: a pid alone may long be another's
 * (after a reboot, in a container), and a zombie that nobody reaps still has its pid.
 */
async function isPostmaster({ data, account }: Files, pid: number): Promise<boolean> {
  if (pid <= 0) return false;
  // As its own user: in a container, root may not look at the processes of others.
  const inspect = (program: string, args: string[]): Promise<string> =>
    run(program, args, { account }).catch(() => '');
  if (process.platform === 'linux')
    // Its working directory is the data directory, also after that was moved under it.
    return (await inspect('readlink', [`/proc/${pid}/cwd`])) === `${data}\n`;
  const command = await inspect('ps', ['-o', 'command=', '-p', String(pid)]);
  // pg_ctl starts it with a path relative to the cluster's home, which its settings name.
  return command.includes('/postgres -D data ') && command.includes(dirname(data));
}

async function readPid({ data }: Files): Promise<number> {
  return Number.parseInt((await readIfExists(join(data, 'postmaster.pid'))) ?? '', 10) || 0;
}

/** Tells whether a process that we may signal has this pid. */
function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
