import { spawn, type ChildProcess } from 'node:child_process';
import { readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Cluster } from './cluster.ts';
import { hasCode, privateDirectory } from './directories.ts';
import { isPostmaster, readPostmasterStatus } from './postmaster-status.ts';
import { childOptions, faultLine } from './run.ts';
import { postmasterArguments } from './settings.ts';
import { removeSocketDirectory } from './socket.ts';

const STOP_BOUND_MS = 30_000;
const KILL_BOUND_MS = 5_000;

/** A postmaster that this process started. Another process's may be faster. */
export interface Attempt {
  readonly child: ChildProcess;
  /** Null while it runs; then whether another process was faster, or why it ended. */
  outcome(): Promise<{ lostRace: boolean; fault: string } | null>;
  /** Lets it run on without this process. */
  release(): void;
}

/** Messages of PostgreSQL when another start, or a child of a killed postmaster, is in the way for a moment. */
const IN_THE_WAY: readonly (readonly [subject: string, fault: string])[] = [
  ['lock file ', ' already exists'],
  ['lock file ', ' is empty'],
  ['lock file ', ': No such file'],
  ['lock file ', ': File exists'],
  ['block ', ' still in use'],
];

function hasLostRace(log: string): boolean {
  return log.split('\n').some((line) =>
    IN_THE_WAY.some(([subject, fault]) => {
      const at = line.indexOf(subject);
      return at >= 0 && line.includes(fault, at);
    }),
  );
}

export async function startPostmaster(cluster: Cluster): Promise<Attempt> {
  const { home, account, socketDirectory } = cluster;
  const binaries = await cluster.binaries();
  await privateDirectory(join(home, 'log'), account);
  await privateDirectory(socketDirectory, account);
  // Detached: a session of its own, which a terminal's Ctrl-C does not reach.
  const child = spawn(
    join(binaries, 'bin', 'postgres'),
    postmasterArguments(home, socketDirectory),
    {
      ...childOptions(account),
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  let stderr = '';
  let ended = false;
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-8192);
  });
  child.on('error', (error) => {
    stderr += error.message;
    ended = true;
  });
  child.on('exit', () => {
    ended = true;
  });
  child.unref();
  return {
    child,
    async outcome() {
      if (!ended) return null;
      // Another process connected, was the last to use it, and stopped it before this one connected.
      if (child.exitCode === 0) return { lostRace: true, fault: 'it was stopped' };
      if (hasLostRace(stderr)) return { lostRace: true, fault: faultLine(stderr) };
      // Once the log collector runs, faults go to its file.
      const inLog = /FATAL|PANIC/.test(stderr) ? stderr : await logTail(home);
      return { lostRace: hasLostRace(inLog), fault: faultLine(inLog || stderr) };
    },
    release() {
      child.stderr?.destroy();
    },
  };
}

/** Fast shutdown, then an immediate one; returns when the process is gone. */
export async function stopPostmaster(cluster: Cluster): Promise<void> {
  const pid = (await readPostmasterStatus(cluster.data))?.pid ?? 0;
  if (!(await isPostmaster(pid, cluster.data))) return;
  signalProcess(pid, 'SIGINT');
  if (!(await isGone(pid, cluster.data, STOP_BOUND_MS))) {
    signalProcess(pid, 'SIGQUIT');
    if (!(await isGone(pid, cluster.data, KILL_BOUND_MS))) {
      throw new Error(
        `PostgreSQL (process ${pid}) in ${cluster.home} does not stop: see ${logDirectory(cluster.home)}`,
      );
    }
  }
  await removeSocketDirectory(cluster.home, cluster.socketDirectory);
}

export function signalProcess(pid: number, signal: 'SIGINT' | 'SIGQUIT'): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!hasCode(error, 'ESRCH')) throw error;
  }
}

export async function isGone(pid: number, data: string, withinMs: number): Promise<boolean> {
  const end = performance.now() + withinMs;
  while (await isPostmaster(pid, data)) {
    if (performance.now() > end) return false;
    await delay(10);
  }
  return true;
}

export function logDirectory(home: string): string {
  return join(home, 'log');
}

async function logTail(home: string): Promise<string> {
  const directory = logDirectory(home);
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
