import { execFile, type ExecFileException, type SpawnOptions } from 'node:child_process';
import { basename } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** Longest time of a program: after a crash, PostgreSQL may have 4 GB of log to replay before it has started. */
export const BOUND_S = 600;

/** The user that PostgreSQL runs as. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
  readonly name: string;
  /** True when we are root and children must be started as this user. */
  readonly drop: boolean;
}

/** Options of every child: the account, a directory that it can enter, and none of our PG* variables. */
export function childOptions(
  account?: Account,
  cwd = '/',
): Pick<SpawnOptions, 'cwd' | 'env' | 'uid' | 'gid'> {
  return {
    cwd,
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C' },
    // spawn drops the supplementary groups together with the uid.
    ...(account?.drop ? { uid: account.uid, gid: account.gid } : {}),
  };
}

/**
 * Runs a program to its end and returns what it wrote to stdout.
 * @throws Error with the program's own words; the signal's reason, once the program has ended.
 */
export async function run(
  program: string,
  args: readonly string[],
  {
    account,
    cwd,
    signal,
  }: { account?: Account; cwd?: string; signal?: AbortSignal | undefined } = {},
): Promise<string> {
  signal?.throwIfAborted();
  // As by Ctrl-C: PostgreSQL's programs then undo what they began.
  const killSignal = 'SIGINT';
  const options = {
    ...childOptions(account, cwd),
    timeout: 1_000 * (BOUND_S + 10),
    killSignal,
  } as const;
  const running = execute(program, args, options);
  // execFile's own signal would not wait for the program's end.
  const stop = (): void => void running.child.kill(killSignal);
  signal?.addEventListener('abort', stop, { once: true });
  try {
    return (await running).stdout;
  } catch (error) {
    signal?.throwIfAborted();
    const { killed, stderr, message } = error as ExecFileException;
    const fault = killed ? `it took longer than ${BOUND_S} s` : findFault(stderr || message);
    throw new Error(`${basename(program)} failed: ${fault}`, { cause: error });
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}

/** The line of a PostgreSQL program's output that says what went wrong. */
export function findFault(output: string): string {
  const lines = output.trim().split('\n');
  const fault = lines.findLast((line) => /\b(FATAL|PANIC|error)\b/.test(line)) ?? lines.at(-1);
  return fault?.trim() || 'it said nothing';
}

/** Tries it, because modes alone do not tell: there are ACLs, root squash and containers. */
export async function canEnter(account: Account, directory: string): Promise<boolean> {
  if (!account.drop) return true;
  return run('/bin/sh', ['-c', 'cd "$1"', 'sh', directory], { account }).then(
    () => true,
    () => false,
  );
}
