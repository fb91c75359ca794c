/** Runs one attack beside the normal client and measures it. */
import { setTimeout as delay } from 'node:timers/promises';
import { runAttacker } from './attacker-process.ts';
import type { NormalClient } from './client/process.ts';
import { ask } from './client/request.ts';
import { percentile } from './measure/percentile.ts';
import {
  countDescriptors,
  readCpuSeconds,
  readMemory,
  readOpenFiles,
  readPeak,
  resetPeak,
} from './measure/process.ts';
import { countConnections } from './measure/sockets.ts';
import { watch } from './measure/watch.ts';
import type { Service } from './service.ts';
import type { Target } from './target.ts';
import type { Attack } from './tools/scene.ts';
import { isLeft, type Idle, type LeftOvers, type Row } from './verdict.ts';

/** The parts that all attacks of one run share. */
export interface Stage {
  readonly service: Service;
  readonly target: Target;
  readonly client: NormalClient;
  readonly short: boolean;
  readonly signal: AbortSignal;
}

const ATTACK_MS = { full: 6_000, short: 2_500 } as const;
const IDLE_MS = { full: 8_000, short: 4_000 } as const;
/** The normal client alone, before and after the attack. */
const LEAD_MS = 300;
/** The service must release the resources of an attack within this time. */
const SETTLE_MS = 5_000;
const HANGS_MS = 10_000;

/** The normal client alone. */
export async function measureIdle({ service, target, client, short }: Stage): Promise<Idle> {
  await resetPeak(service.pid);
  client.begin(target);
  await delay(IDLE_MS[short ? 'short' : 'full']);
  const { polls, rounds } = await client.end();
  const [failure] = [...polls.failures, ...rounds.failures];
  if (failure !== undefined)
    throw new Error(`the normal client fails without any attack: ${failure}`);
  return {
    p99Ms: percentile(polls.latencies, 0.99),
    memoryMb: await readPeak(service.pid),
    descriptors: await countDescriptors(service.pid),
  };
}

/** One attack beside the normal client, and what is left of it. The service may be down afterwards. */
export async function runAttack(stage: Stage, attack: Attack, idle: Idle): Promise<Row> {
  const { service, target, client, short, signal } = stage;
  const { pid } = service;
  const hasPeak = await resetPeak(pid);
  const logBefore = await service.logBytes();
  const cpuBefore = await readCpuSeconds(pid);
  const watching = new AbortController();
  const runaway = new AbortController();
  const peaksRead = watch(service, watching.signal, () => runaway.abort());

  client.begin(target);
  await delay(LEAD_MS);
  const ms = ATTACK_MS[short ? 'short' : 'full'];
  const order = { name: attack.name, target, ms, short };
  const { text } = await runAttacker(order, AbortSignal.any([signal, runaway.signal]));
  await delay(LEAD_MS);
  const report = await client.end();

  const end = await findEnd(service, target);
  const left = await findLeftOvers(stage, idle, end === 'answers');
  watching.abort();
  const peaks = await peaksRead;
  const cpuAfter = await readCpuSeconds(pid);
  return {
    name: attack.name,
    client: report,
    peakMb: (hasPeak ? await readPeak(pid) : null) ?? peaks.memoryMb,
    peakDescriptors: peaks.descriptors,
    peakSpoolMb: peaks.spoolMb,
    isRunaway: peaks.isRunaway,
    cpuSeconds: cpuBefore === null || cpuAfter === null ? null : cpuAfter - cpuBefore,
    logMb: ((await service.logBytes()) - logBefore) / 1e6,
    left,
    end,
    attacker: text,
  };
}

async function findEnd(service: Service, target: Target): Promise<Row['end']> {
  const isAnswered = await ask(target, { path: '/health', timeoutMs: HANGS_MS }).then(
    ({ status }) => status === 200,
    () => false,
  );
  if (!service.isRunning()) return 'died';
  return isAnswered ? 'answers' : 'hangs';
}

/** Waits until all is given back, 5 s at most. */
async function findLeftOvers(
  { service, target, client }: Stage,
  idle: Idle,
  isAnswering: boolean,
): Promise<LeftOvers> {
  const started = performance.now();
  let round = 'the service does not answer';
  if (isAnswering) {
    const { rounds } = await client.round(target);
    round = rounds.failures[0] ?? '';
  }
  for (;;) {
    const left = {
      connections: await countConnections(service.port),
      descriptors: await countDescriptors(service.pid),
      memoryMb: await readMemory(service.pid),
      spoolMb: await readOpenFiles(service.pid, service.spool),
      round,
    };
    if (!isLeft(left, idle) || performance.now() - started > SETTLE_MS) return left;
    await delay(250);
  }
}
