import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { expect } from 'vitest';

export const BIN = join(import.meta.dirname, '../bin/tillroll.js');
/** Nobody listens there. */
export const NOWHERE = 'http://127.0.0.1:1';
export const TOKEN = 'token-that-must-not-be-seen';

export interface Ended {
  code: number | null;
  out: string;
  err: string;
}

export interface Call {
  env?: Record<string, string>;
  cwd?: string;
  /** The text piped to its standard input. */
  input?: string;
}

/** Runs the command as a user does, and checks what holds of every run. */
export async function run(args: readonly string[], call: Call = {}): Promise<Ended> {
  const child = spawn(process.execPath, [BIN, ...args], {
    cwd: call.cwd,
    env: { PATH: process.env['PATH'], HOME: '/nonexistent', ...call.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdin.on('error', () => undefined).end(call.input ?? '');
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  for (const text of [out, err]) {
    expect(text).not.toMatch(/^\s+at /m);
    expect(text).not.toContain('node:internal');
    expect(text).not.toContain(TOKEN);
  }
  return { code, out, err };
}

/** Exit 2, nothing on stdout, one line on stderr. @returns the line */
export async function refusal(args: readonly string[], call?: Call): Promise<string> {
  const { code, out, err } = await run(args, call);
  expect({ args, code, out }).toEqual({ args, code: 2, out: '' });
  expect(err).toMatch(/^tillroll: [^\n]+\n$/);
  return err.trimEnd();
}
