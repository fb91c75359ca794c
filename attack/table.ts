/** Formats the results as a table in plain text, at most 120 columns wide. */
import { percentile } from './measure/percentile.ts';
import {
  findFaults,
  isNoisy,
  LIMITS,
  p99Limit,
  type Fault,
  type Idle,
  type Row,
} from './verdict.ts';

const NOT_MEASURED = '-';
/** An idle service on an idle machine answers a poll in a tenth of this, ms. */
const BUSY_MS = 30;
/** Behind a value that is not allowed. */
const MARK = '!';

interface Column {
  readonly title: string;
  readonly width: number;
  readonly cell: (row: Row, idle: Idle) => string;
  /** The fault that this column shows. */
  readonly fault?: Fault;
}

function whole(value: number | null): string {
  return value === null || Number.isNaN(value) ? NOT_MEASURED : String(Math.round(value));
}

function above(value: number | null, idle: number | null): string {
  return value === null || idle === null ? NOT_MEASURED : whole(value - idle);
}

function latency({ client }: Row, part: number): string {
  return whole(percentile(client.polls.latencies, part));
}

function ofAll(part: number, whole: number): string {
  return `${part}/${whole}`;
}

const COLUMNS: readonly Column[] = [
  { title: 'attack', width: 25, cell: ({ name }) => name },
  { title: 'p99 ms', width: 7, fault: 'p99', cell: (row) => latency(row, 0.99) },
  { title: 'max ms', width: 6, cell: (row) => latency(row, 1) },
  {
    title: 'failed',
    width: 7,
    fault: 'polls',
    cell: ({ client: { polls } }) => ofAll(polls.failures.length, polls.latencies.length),
  },
  {
    title: 'rounds',
    width: 6,
    fault: 'rounds',
    cell: ({ client: { rounds } }) =>
      ofAll(rounds.latencies.length, rounds.latencies.length + rounds.failures.length),
  },
  {
    title: '+MB',
    width: 6,
    fault: 'memory',
    cell: ({ peakMb, isRunaway }, idle) => (isRunaway ? 'over' : above(peakMb, idle.memoryMb)),
  },
  { title: 'fds', width: 5, cell: ({ peakDescriptors }) => whole(peakDescriptors) },
  { title: 'spool', width: 5, cell: ({ peakSpoolMb }) => whole(peakSpoolMb) },
  { title: 'log', width: 4, fault: 'log', cell: ({ logMb }) => whole(logMb) },
  { title: 'cpu s', width: 5, cell: ({ cpuSeconds }) => whole(cpuSeconds) },
  {
    title: 'left',
    width: 14,
    fault: 'left',
    cell: ({ left }, idle) =>
      [
        whole(left.connections),
        above(left.descriptors, idle.descriptors),
        above(left.memoryMb, idle.memoryMb),
      ].join('/'),
  },
  {
    title: 'after',
    width: 7,
    fault: 'after',
    cell: ({ left, end }) => (end !== 'answers' ? end : left.round === '' ? 'works' : 'fails'),
  },
  {
    title: 'verdict',
    width: 7,
    cell: (row, idle) => (findFaults(row, idle).length === 0 ? 'pass' : 'FAIL'),
  },
];

function line(cells: readonly string[]): string {
  const padded = COLUMNS.map(({ width }, n) => {
    const cell = cells[n] ?? '';
    return n === 0 ? cell.padEnd(width) : cell.padStart(width);
  });
  return padded.join(' ');
}

export function formatHeader(): string {
  return line(COLUMNS.map(({ title }) => title));
}

export function formatRow(row: Row, idle: Idle): string {
  const faults = findFaults(row, idle);
  const isFaulty = ({ fault }: Column): boolean => fault !== undefined && faults.includes(fault);
  return line(COLUMNS.map((column) => column.cell(row, idle) + (isFaulty(column) ? MARK : '')));
}

function counted(reasons: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return [...counts].map(([reason, count]) => `${count} x ${reason}`).join(', ');
}

/** Details below the row: the attacker's actions, and the failures. */
export function formatDetails(row: Row): string[] {
  const { attacker, client, left } = row;
  return [
    `attacker: ${attacker}`,
    ...(client.polls.failures.length > 0
      ? [`failed polls: ${counted(client.polls.failures)}`]
      : []),
    ...(client.rounds.failures.length > 0
      ? [`failed rounds: ${counted(client.rounds.failures)}`]
      : []),
    ...(left.round === '' ? [] : [`the round afterwards: ${left.round}`]),
    ...(isNoisy(row)
      ? [`noise: the normal client's own process was late by ${whole(client.loopDelayMs)} ms`]
      : []),
  ].map((text) => `    ${text}`);
}

export function formatIdle(idle: Idle): string {
  return [
    `idle: p99 of polls ${idle.p99Ms.toFixed(1)} ms`,
    `memory ${idle.memoryMb === null ? 'not measured' : `${whole(idle.memoryMb)} MB`}`,
    `descriptors ${idle.descriptors ?? 'not measured'}`,
    ...(idle.p99Ms > BUSY_MS ? ['NOISE: this machine is busy, and the p99 says little'] : []),
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
