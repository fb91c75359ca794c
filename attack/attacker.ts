/** The program of an attacker's process: takes one order, runs that attack for its time, reports, and ends. Started by attacker-process.ts. */
import { setMaxListeners } from 'node:events';
import { setPriority } from 'node:os';
import { ATTACKS } from './attacks/index.ts';
import { Connections } from './tools/connections.ts';
import { Tally } from './tools/tally.ts';
import type { Target } from './target.ts';

export interface AttackOrder {
  readonly name: string;
  readonly target: Target;
  readonly ms: number;
  readonly short: boolean;
}

export interface AttackReport {
  /** Requests and answers, in words. */
  readonly text: string;
}

/** Attackers have machines of their own: here they must not take the processor from the service. */
const NICE = 10;

async function run({ name, target, ms, short }: AttackOrder): Promise<AttackReport> {
  setPriority(NICE);
  const attack = ATTACKS.find((candidate) => candidate.name === name);
  if (!attack) throw new Error(`no attack is called ${name}`);
  const tally = new Tally();
  const signal = AbortSignal.timeout(ms);
  setMaxListeners(0, signal);
  const connections = new Connections(target, tally, signal);
  try {
    await attack.run({ target, connections, tally, short, signal });
  } finally {
    connections.closeAll();
  }
  return { text: tally.toString() };
}

process.once('message', (order: AttackOrder) => {
  run(order).then(
    (report) => process.send?.(report, () => process.exit(0)),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
// The process that started the attack has ended.
process.once('disconnect', () => process.exit(1));
