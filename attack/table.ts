import { percentile } from './measure/percentile.ts';
import { findFaults, LIMITS, p99Limit, type Idle, type Row } from './verdict.ts';

/** The table in plain text, at most 120 columns wide. */

const NOT_MEASURED = '-';

interface Column {
  readonly title: string;
  readonly width: number;
  readonly cell: (row: Row, idle: Idle) => string;
}

function whole(value: number | null): string {
  return value === null || Number.isNaN(value) ? NOT_MEASURED : String(Math.round(value));
}

function above(value: number | null, idle: number | null): string {
  return value === null || idle === null ? NOT_MEASURED : whole(value - idle);
}

const COLUMNS: readonly Column[] = [
  { title: 'attack', width: 29, cell: ({ name }) => name },
  {
    title: 'p99 ms',
    width: 7,
    cell: ({ client }) => whole(percentile(client.polls.latencies, 0.99)),
  },
  { title: 'max ms', width: 7, cell: ({ client }) => whole(percentile(client.polls.latencies, 1)) },
  { title: 'polls', width: 5, cell: ({ client }) => String(client.polls.latencies.length) },
  { title: 'fail', width: 4, cell: ({ client }) => String(client.polls.failures.length) },
  {
    title: 'rounds',
    width: 6,
    cell: ({ client: { rounds } }) =>
      `${rounds.latencies.length}/${rounds.latencies.length + rounds.failures.length}`,
  },
  {
    title: '+MB',
    width: 5,
    cell: ({ peakMb, isRunaway }, idle) => (isRunaway ? 'over' : above(peakMb, idle.memoryMb)),
  },
  { title: 'fds', width: 5, cell: ({ peakDescriptors }) => whole(peakDescriptors) },
  { title: 'spool', width: 5, cell: ({ peakSpoolMb }) => whole(peakSpoolMb) },
  { title: 'log', width: 4, cell: ({ logMb }) => whole(logMb) },
  { title: 'cpu s', width: 5, cell: ({ cpuSeconds }) => whole(cpuSeconds) },
  {
    title: 'left',
    width: 12,
    cell: ({ left }, idle) =>
      [
        whole(left.connections),
        above(left.descriptors, idle.descriptors),
        above(left.memoryMb, idle.memoryMb),
      ].join('/'),
  },
  {
    title: 'verdict',
    width: 14,
    cell: (row, idle) => {
      const faults = findFaults(row, idle);
      return faults.length === 0 ? 'pass' : faults.join(' ');
    },
  },
];

function line(cells: readonly string[]): string {
  return cells
    .map((cell, n) =>
      n === 0 ? cell.padEnd(COLUMNS[n]?.width ?? 0) : cell.padStart(COLUMNS[n]?.width ?? 0),
    )
    .join(' ');
}

export function formatHeader(): string {
  return line(COLUMNS.map(({ title }) => title));
}

export function formatRow(row: Row, idle: Idle): string {
  return line(COLUMNS.map(({ cell }) => cell(row, idle)));
}

function counted(reasons: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return [...counts].map(([reason, count]) => `${count} x ${reason}`).join(', ');
}

/** What does not fit into the row: what the attacker did, and what failed. */
export function formatDetails({ attacker, client, left }: Row): string[] {
  return [
    `attacker: ${attacker}`,
    ...(client.polls.failures.length > 0
      ? [`failed polls: ${counted(client.polls.failures)}`]
      : []),
    ...(client.rounds.failures.length > 0
      ? [`failed rounds: ${counted(client.rounds.failures)}`]
      : []),
    ...(left.round === '' ? [] : [`the round afterwards: ${left.round}`]),
    ...(client.loopDelayMs > 50
      ? [`noise: the normal client's own process was late by ${whole(client.loopDelayMs)} ms`]
      : []),
  ].map((text) => `    ${text}`);
}

export function formatIdle(idle: Idle): string {
  return [
    `idle: p99 of polls ${idle.p99Ms.toFixed(1)} ms`,
    `memory ${idle.memoryMb === null ? 'not measured' : `${whole(idle.memoryMb)} MB`}`,
    `descriptors ${idle.descriptors ?? 'not measured'}`,
  ].join(', ');
}

export function formatLimits(idle: Idle): string {
  return [
    `allowed: p99 ${whole(p99Limit(idle))} ms, no poll and no round failing`,
    `memory ${LIMITS.memoryMb} MB above idle`,
    `log ${LIMITS.logMb} MB`,
    `afterwards no connection, ${LIMITS.descriptors} descriptors and ${LIMITS.memoryMb} MB above idle`,
  ].join('; ');
}
