/** Decides whether the service passed an attack: the limits, and what broke them. */
import type { ClientReport } from './client/process.ts';
import { percentile } from './measure/percentile.ts';

/** Figures of an idle service: the normal client alone. */
export interface Idle {
  readonly p99Ms: number;
  /** The most resident memory while only the normal client is there, MB. */
  readonly memoryMb: number | null;
  readonly descriptors: number | null;
}

/** Resources that the service still holds some seconds after an attack. Null: not measured. */
export interface LeftOvers {
  readonly connections: number | null;
  readonly descriptors: number | null;
  readonly memoryMb: number | null;
  readonly spoolMb: number | null;
  /** The result of a load, a create and a download right after the attack: the failure, if any. */
  readonly round: string;
}

/** One attack, measured. Null: not measured. */
export interface Row {
  readonly name: string;
  readonly client: ClientReport;
  readonly peakMb: number | null;
  readonly peakDescriptors: number | null;
  readonly peakSpoolMb: number | null;
  readonly cpuSeconds: number | null;
  readonly logMb: number;
  readonly left: LeftOvers;
  /** Above what the suite allows the service on this machine. */
  readonly isRunaway: boolean;
  readonly end: 'answers' | 'hangs' | 'died';
  /** The attacker's requests and their answers. */
  readonly attacker: string;
}

/** A process with nothing else to do that is late by more than this, ms, had no processor. */
const NOISE_MS = 50;

/** The bounds that a service has to keep under each attack. */
export const LIMITS = {
  /** The p99 of polls may be the greater of these. */
  p99TimesIdle: 10,
  p99Ms: 100,
  /** Above idle. */
  memoryMb: 150,
  /** Above idle, afterwards. */
  descriptors: 20,
  connections: 0,
  spoolMb: 1,
  logMb: 10,
} as const;

export function p99Limit(idle: Idle): number {
  return Math.max(LIMITS.p99TimesIdle * idle.p99Ms, LIMITS.p99Ms);
}

function isAbove(value: number | null, idle: number | null, limit: number): boolean {
  return value !== null && value - (idle ?? 0) > limit;
}

export function isLeft(left: LeftOvers, idle: Idle): boolean {
  return (
    isAbove(left.connections, 0, LIMITS.connections) ||
    isAbove(left.descriptors, idle.descriptors, LIMITS.descriptors) ||
    isAbove(left.memoryMb, idle.memoryMb, LIMITS.memoryMb) ||
    isAbove(left.spoolMb, 0, LIMITS.spoolMb)
  );
}

/** Tells whether the machine was too busy to judge times: the normal client's own process was late. */
export function isNoisy({ client }: Row): boolean {
  return client.loopDelayMs > NOISE_MS;
}

export type Fault = 'p99' | 'polls' | 'rounds' | 'memory' | 'log' | 'left' | 'after';

/** The limits that a row breaks. None: it passes. */
export function findFaults(row: Row, idle: Idle): Fault[] {
  const { polls, rounds } = row.client;
  const faults: [Fault, boolean][] = [
    ['p99', !(percentile(polls.latencies, 0.99) <= p99Limit(idle))],
    ['polls', polls.failures.length > 0],
    ['rounds', rounds.failures.length > 0 || rounds.latencies.length === 0],
    ['memory', row.isRunaway || isAbove(row.peakMb, idle.memoryMb, LIMITS.memoryMb)],
    ['log', row.logMb > LIMITS.logMb],
    ['left', isLeft(row.left, idle)],
    ['after', row.end !== 'answers' || row.left.round !== ''],
  ];
  return faults.filter(([, isFault]) => isFault).map(([name]) => name);
}

/** Faults on any machine, however slow: a service that ends, hangs, refuses polls or does not recover. */
const OUTAGE: ReadonlySet<Fault> = new Set(['polls', 'after']);

/** Tells whether a row shows an outage, whatever its times and sizes are. */
export function isOutage(row: Row, idle: Idle): boolean {
  return findFaults(row, idle).some((fault) => OUTAGE.has(fault));
}
