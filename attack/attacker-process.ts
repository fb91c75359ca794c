/** Runs one attack in a process of its own. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { AttackOrder, AttackReport } from './attacker.ts';

const PROGRAM = fileURLToPath(new URL('attacker.ts', import.meta.url));
/** An attack that does not end by itself this long after its time is killed. */
const OVERTIME_MS = 5_000;

/**
 * Runs one attack in a process of its own.
 * @param signal ends it at once.
 * @returns what it did; when it was ended before it could say so, that.
 * @throws when the attack itself fails: a fault of the suite.
 */
export async function runAttacker(order: AttackOrder, signal: AbortSignal): Promise<AttackReport> {
  const child = fork(PROGRAM, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const timer = setTimeout(() => child.kill('SIGKILL'), order.ms + OVERTIME_MS);
  const onAbort = (): void => {
    child.kill('SIGKILL');
  };
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  let report: AttackReport | undefined;
  child.on('message', (message) => (report = message as AttackReport));
  child.on('error', () => undefined);
  try {
    // A child that dies at once closes the channel under the order.
    child.send(order, () => undefined);
    await once(child, 'exit');
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
  if (report) return report;
  if (child.exitCode === 1) throw new Error(`the attack ${order.name} itself failed`);
  return { text: 'the attack was stopped before its end' };
}
