import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm, rmdir } from 'node:fs/promises';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Cluster } from './cluster.ts';
import { privateDirectory, readIfExists } from './files.ts';
import { childOptions, findFault, run } from './run.ts';
import { postmasterOptions } from './settings.ts';

const STOP_BOUND_MS = 30_000;
const KILL_BOUND_MS = 5_000;
const POLL_MS = 20;

type Files = Pick<Cluster, 'data' | 'account'>;

/** A postmaster that this process started. */
export interface Launch {
  readonly pid: number;
  /** Tells whether it accepts connections, by its own account. */
  isReady(): Promise<boolean>;
  /** Null while it runs; then PostgreSQL's own words on why it ended. */
  readFault(): Promise<string | null>;
}

/** The process of a cluster's postmaster; null when none of this machine is one. */
export async function findPostmaster(files: Files): Promise<number | null> {
  const pid = parsePid(await readPidFile(files));
  return (await isPostmaster(files, pid)) ? pid : null;
}

/** Starts PostgreSQL, of which no process is running; does not wait until it accepts connections. */
export async function launchPostgres(cluster: Cluster): Promise<Launch> {
  const { home, data, account, binaries, connection } = cluster;
  await privateDirectory(join(home, 'log'), account);
  await privateDirectory(connection.host, account);
  // PostgreSQL refuses to start when the pid in the file is alive, whatever process has that pid now, and when the file is
  // empty, as after a power cut. A dead pid is left to PostgreSQL, which then also looks for children that outlived it.
  const stale = parsePid(await readPidFile(cluster));
  if (stale === 0 || sendSignal(stale, 0)) await rm(join(data, 'postmaster.pid'), { force: true });
  const args = ['-D', data, ...postmasterOptions(home)];
  const child = spawn(join(binaries, 'bin', 'postgres'), args, {
    ...childOptions(account),
    cwd: data,
    // A terminal's Ctrl-C does not reach it: it runs until its last user stops it.
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let hasEnded = false;
  let early = '';
  child.once('close', () => (hasEnded = true));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    early = (early + text).slice(-8192);
  });
  // Other processes may use it for longer than this one runs.
  child.unref();
  if (child.stderr instanceof Socket) child.stderr.unref();
  await once(child, 'spawn');
  return {
    pid: child.pid ?? 0,
    isReady: async () => /^ready/m.test(await readPidFile(cluster)),
    async readFault() {
      if (!hasEnded) return null;
      const current = await readIfExists(join(data, 'current_logfiles'));
      const log = await readIfExists(current?.trim().replace(/^stderr /, '') ?? '');
      // What it said before its log collector took over counts first: the log may end with an earlier run.
      return findFault(`${log?.slice(-4096) ?? ''}\n${early}`);
    },
  };
}

/** Stops PostgreSQL: fast, then at once. @throws Error when it does not stop */
export async function stopPostgres(cluster: Cluster, pid: number): Promise<void> {
  const { home } = cluster;
  const began = performance.now();
  while (await isPostmaster(cluster, pid)) {
    const waited = performance.now() - began;
    if (waited > STOP_BOUND_MS + KILL_BOUND_MS)
      throw new Error(
        `PostgreSQL (process ${pid}) in ${home} does not stop: see ${join(home, 'log')}`,
      );
    sendSignal(pid, waited > STOP_BOUND_MS ? 'SIGQUIT' : 'SIGINT');
    await delay(POLL_MS);
  }
  // It may be outside home.
  await rmdir(cluster.connection.host).catch(() => undefined);
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
  return command.includes(`/postgres -D ${data} `);
}

/** A postmaster writes its pid first, and adds lines while it starts. */
async function readPidFile({ data }: Files): Promise<string> {
  return (await readIfExists(join(data, 'postmaster.pid'))) ?? '';
}

function parsePid(pidFile: string): number {
  return Number.parseInt(pidFile, 10) || 0;
}

/** Sends a signal, or with 0 none; false when there is no such process of ours. */
function sendSignal(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}
