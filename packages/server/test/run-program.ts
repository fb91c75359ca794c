/** Runs `tillroll-server` to its end, whatever its exit code is. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';

const BIN = join(import.meta.dirname, '../bin/tillroll-server.js');

/** The exit code and the output of a program. */
export interface Ended {
  code: number | null;
  out: string;
  err: string;
}

/** @param environment all that it sees beside PATH. */
export async function runProgram(
  args: readonly string[],
  environment: Record<string, string>,
  cwd?: string,
): Promise<Ended> {
  const child = spawn(process.execPath, [BIN, ...args], {
    cwd,
    env: { PATH: process.env['PATH'], ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  return { code, out, err };
}
