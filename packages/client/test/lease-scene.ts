/** Leases of this process, of others and of another host, for tests. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Holder } from '../src/directory/holder.ts';
import { Lease } from '../src/directory/lease.ts';
import { temporary } from './output-directory.ts';

export const FAST = { intervalMs: 50, patienceMs: 500 };

export const MODULE = new URL('../src/directory/lease.ts', import.meta.url).href;

export interface Place {
  out: string;
  own: string;
  lock: string;
}

export function place(): Place {
  const out = temporary();
  const own = join(out, '.tillroll');
  mkdirSync(own);
  return { out, own, lock: join(own, 'lock') };
}

export async function acquire(
  out: string,
  options: Partial<Parameters<typeof Lease.acquire>[1]> = {},
): Promise<Lease> {
  const lease = await Lease.acquire(out, {
    signal: new AbortController().signal,
    ...FAST,
    ...options,
  });
  onTestFinished(() => lease[Symbol.asyncDispose]());
  return lease;
}

export function holderIn(lock: string): Holder {
  return JSON.parse(readFileSync(lock, 'utf8')) as Holder;
}

export interface Contender {
  /** The next line that it prints. */
  said: () => Promise<string>;
  send: (line: 'check' | 'end') => void;
  kill: (signal: NodeJS.Signals) => void;
  gone: Promise<unknown>;
}

/** A process that acquires the lease, then checks it whenever it is asked, and releases it at `end`. */
export function contend(out: string, wrapper: readonly string[] = []): Contender {
  const program = `
    import { createInterface } from 'node:readline';
    const { Lease } = await import(${JSON.stringify(MODULE)});
    const fault = (error) => error.code + ' ' + error.message;
    try {
      const signal = new AbortController().signal;
      const lease = await Lease.acquire(${JSON.stringify(out)}, { signal, ...${JSON.stringify(FAST)} });
      console.log('held');
      for await (const line of createInterface({ input: process.stdin })) {
        if (line === 'end') break;
        console.log(await lease.check().then(() => 'sound', fault));
      }
      await lease[Symbol.asyncDispose]();
      process.exit();
    } catch (error) { console.log(fault(error)); process.exit(); }`;
  const [command, ...args] = [...wrapper, process.execPath, '--input-type=module', '-e', program];
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines: string[] = [];
  let rest = '';
  const waiting: ((line: string) => void)[] = [];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const whole = (rest + text).split('\n');
    rest = whole.pop() ?? '';
    for (const line of whole) (waiting.shift() ?? ((said) => void lines.push(said)))(line);
  });
  return {
    said: async () => lines.shift() ?? new Promise((resolve) => void waiting.push(resolve)),
    send: (line) => void child.stdin.write(`${line}\n`),
    kill: (signal) => void child.kill(signal),
    gone: once(child, 'exit'),
  };
}

/** A lock file as another holder would write it. */
export function foreign(changes: Partial<Holder> = {}): string {
  const holder: Holder = {
    host: 'elsewhere',
    pid: 4242,
    boot: '00000000-0000-4000-8000-000000000000',
    namespace: 'pid:[1]',
    started: '1',
    token: 'theirs',
    counter: '000000000001',
    ...changes,
  };
  return `${JSON.stringify(holder)}\n`;
}
