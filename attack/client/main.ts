/** The program of the normal client's process: polls and works between `begin` and `end`, then reports. Started by process.ts. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Target } from '../target.ts';
import { Pollers, type Polls } from './polls.ts';
import { countRound, runRounds, type Rounds } from './rounds.ts';

export type ClientOrder =
  | { readonly kind: 'begin'; readonly target: Target }
  | { readonly kind: 'end' }
  | { readonly kind: 'round'; readonly target: Target };

export interface ClientReport {
  readonly polls: Polls;
  readonly rounds: Rounds;
  /** The longest that this process itself was late, ms: noise of the machine. */
  readonly loopDelayMs: number;
}

const RESOLUTION_MS = 5;

const pollers = new Pollers();
const loop = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
let stopping = new AbortController();
let work: Promise<[Polls, Rounds]> | undefined;

function begin(target: Target): void {
  stopping = new AbortController();
  loop.reset();
  loop.enable();
  work = Promise.all([pollers.run(target, stopping.signal), runRounds(target, stopping.signal)]);
}

async function end(): Promise<ClientReport> {
  stopping.abort();
  const [polls, rounds] = (await work) ?? [
    { latencies: [], failures: [] },
    { latencies: [], failures: [] },
  ];
  loop.disable();
  return { polls, rounds, loopDelayMs: Math.max(0, loop.max / 1e6 - RESOLUTION_MS) };
}

async function oneRound(target: Target): Promise<ClientReport> {
  const rounds: Rounds = { latencies: [], failures: [] };
  await countRound(target, rounds);
  return { polls: { latencies: [], failures: [] }, rounds, loopDelayMs: 0 };
}

process.on('message', (order: ClientOrder) => {
  if (order.kind === 'begin') {
    begin(order.target);
    return;
  }
  const report = order.kind === 'end' ? end() : oneRound(order.target);
  report.then(
    (result) => process.send?.(result),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
// The process that gives the orders has ended.
process.once('disconnect', () => process.exit(0));
