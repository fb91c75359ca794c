import { describe, expect, test } from 'vitest';
import { ATTACKS } from '../attacks/index.ts';
import { percentile } from '../measure/percentile.ts';
import { formatDetails, formatHeader, formatRow } from '../table.ts';
import { findFaults, isOutage, type Idle, type Row } from '../verdict.ts';

const idle: Idle = { p99Ms: 4, memoryMb: 160, descriptors: 45 };

const good: Row = {
  name: 'pipelined-polls',
  client: {
    polls: { latencies: [1, 2, 3], failures: [] },
    rounds: { latencies: [300], failures: [] },
    loopDelayMs: 1,
  },
  peakMb: 200,
  peakDescriptors: 60,
  peakSpoolMb: 0,
  cpuSeconds: 1,
  logMb: 1,
  left: { connections: 0, descriptors: 46, memoryMb: 170, spoolMb: 0, round: '' },
  isRunaway: false,
  end: 'answers',
  attacker: 'nothing',
};

function polls(latencies: number[], failures: string[] = []): Pick<Row, 'client'> {
  return { client: { ...good.client, polls: { latencies, failures } } };
}

function rounds(latencies: number[], failures: string[] = []): Pick<Row, 'client'> {
  return { client: { ...good.client, rounds: { latencies, failures } } };
}

test('a row that keeps every bound passes', () => {
  expect(findFaults(good, idle)).toEqual([]);
  expect(formatRow(good, idle)).toMatch(/ pass$/);
});

test('what is not measured is not judged', () => {
  const left = {
    ...good.left,
    connections: null,
    descriptors: null,
    memoryMb: null,
    spoolMb: null,
  };
  const row = { ...good, peakMb: null, peakDescriptors: null, cpuSeconds: null, left };
  expect(findFaults(row, { ...idle, memoryMb: null, descriptors: null })).toEqual([]);
});

describe('a row fails by', () => {
  test.each<[string, Partial<Row>]>([
    ['p99', polls([101, 101])],
    ['p99', polls([])],
    ['polls', polls([1], ['503'])],
    ['rounds', rounds([300], ['load 503'])],
    ['rounds', rounds([])],
    ['memory', { peakMb: 311 }],
    ['memory', { isRunaway: true }],
    ['log', { logMb: 10.1 }],
    ['left', { left: { ...good.left, connections: 1 } }],
    ['left', { left: { ...good.left, descriptors: 66 } }],
    ['left', { left: { ...good.left, memoryMb: 311 } }],
    ['left', { left: { ...good.left, spoolMb: 2 } }],
    ['after', { left: { ...good.left, round: 'create 503' } }],
    ['after', { end: 'died' }],
    ['after', { end: 'hangs' }],
  ])('%s (%#)', (fault, change) => {
    const row = { ...good, ...change };
    expect(findFaults(row, idle)).toEqual([fault]);
    expect(formatRow(row, idle)).toMatch(/! .*FAIL$/);
  });
});

test('p99 may be ten times that of an idle service, when that is more than 100 ms', () => {
  expect(findFaults({ ...good, ...polls([150]) }, { ...idle, p99Ms: 16 })).toEqual([]);
});

test('the table fits 120 columns with the largest values', () => {
  const worst: Row = {
    ...good,
    ...polls(
      Array.from({ length: 999 }, () => 10_049),
      Array.from({ length: 99 }, () => '503'),
    ),
    peakMb: 2_499,
    peakDescriptors: 15_646,
    logMb: 414,
    left: { connections: 999, descriptors: 9_999, memoryMb: 2_499, spoolMb: 251, round: 'x' },
    end: 'hangs',
  };
  for (const { name } of ATTACKS)
    expect(formatRow({ ...worst, name }, idle).length).toBeLessThanOrEqual(120);
  expect(formatHeader().length).toBeLessThanOrEqual(120);
  expect(formatDetails(worst).join('\n')).toContain('99 x 503');
});

test('names are unique, since --only takes them', () => {
  expect(new Set(ATTACKS.map(({ name }) => name)).size).toBe(ATTACKS.length);
});

test('percentile: nearest rank', () => {
  const values = Array.from({ length: 100 }, (_, n) => n + 1).toReversed();
  expect(percentile(values, 0.99)).toBe(99);
  expect(percentile(values, 1)).toBe(100);
  expect(percentile([], 0.99)).toBeNaN();
});

test('an outage is a failed poll, or a service that does not answer afterwards; not a slow one', () => {
  expect(isOutage(good, idle)).toBe(false);
  expect(isOutage({ ...good, peakMb: 5_000, logMb: 500 }, idle)).toBe(false);
  expect(isOutage({ ...good, end: 'hangs' }, idle)).toBe(true);
  expect(isOutage({ ...good, left: { ...good.left, round: 'load timed out' } }, idle)).toBe(true);
});
