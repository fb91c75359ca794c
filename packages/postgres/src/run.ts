import { spawn, type SpawnOptions } from 'node:child_process';
import type { Account } from './account.ts';

export interface Outcome {
  readonly code: number | null;
  readonly stderr: string;
}

/** Options of every child: the account, a directory that it can enter, and none of our PG* variables. */
export function childOptions(account: Account): SpawnOptions {
  return {
    cwd: '/',
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C' },
    // spawn drops the supplementary groups together with the uid.
    ...(account.drop ? { uid: account.uid, gid: account.gid } : {}),
  };
}

/** Runs a program to its end. A program that cannot be started is an outcome; an abort is thrown. */
export function run(
  program: string,
  args: readonly string[],
  {
    account,
    signal,
    cwd = '/',
    detached = false,
  }: { account: Account; signal?: AbortSignal | undefined; cwd?: string; detached?: boolean },
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    let stderr = '';
    let fault: Error | null = null;
    const child = spawn(program, args, {
      ...childOptions(account),
      cwd,
      detached,
      stdio: ['ignore', 'ignore', 'pipe'],
      ...(signal ? { signal } : {}),
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-8192);
    });
    child.on('error', (error) => {
      fault = error;
      if (child.pid === undefined && !signal?.aborted)
        resolve({ code: null, stderr: error.message });
    });
    child.on('close', (code) => {
      if (signal?.aborted) reject(signal.reason as Error);
      else resolve({ code, stderr: stderr || (fault?.message ?? '') });
    });
  });
}

/** The line of a PostgreSQL program's output that says what went wrong. */
export function faultLine(output: string): string {
  const lines = output
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);
  const fault = lines.findLast((line) => /\b(FATAL|PANIC|error)\b/.test(line)) ?? lines.at(-1);
  return fault ?? 'it said nothing';
}

/** Tries it, because modes alone do not tell: there are ACLs, root squash and containers. */
export async function canEnter(account: Account, directory: string): Promise<boolean> {
  if (!account.drop) return true;
  const { code } = await run('/bin/sh', ['-c', 'cd "$1"', 'sh', directory], { account });
  return code === 0;
}
