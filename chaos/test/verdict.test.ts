import { expect, test } from 'vitest';
import { CASES } from '../cases/index.ts';
import { Random } from '../random.ts';
import { compare } from '../scene/check.ts';
import { sha256 } from '../scene/api.ts';
import { hashFiles } from '../scene/source.ts';
import { formatDetails, formatHeader, formatRow } from '../table.ts';
import { Tally } from '../tally.ts';
import { findFaults, type Row } from '../verdict.ts';

const good: Row = {
  name: 'worker-kill',
  wanted: 2,
  runs: 2,
  checked: 4,
  lost: 0,
  wrong: 0,
  stuck: 0,
  unowned: 0,
  recoveriesS: [3, 1, 2],
  facts: [{ name: 'noticed s', value: 16, from: null, to: 20 }],
  complaints: [],
  boundS: 3,
  seconds: 10,
  skipped: null,
  broken: null,
};

test('a row that misses nothing passes, and shows the median and the most', () => {
  expect(findFaults(good)).toEqual([]);
  expect(formatRow(good)).toMatch(/ 2\.0\s+3\.0\s+3\s+10\s+pass$/);
  expect(formatRow(good)).toHaveLength(formatHeader().length);
});

test.each<[string, Partial<Row>]>([
  ['runs', { runs: 1 }],
  ['checked', { checked: 0 }],
  ['lost', { lost: 1 }],
  ['wrong', { wrong: 1 }],
  ['stuck', { stuck: 1 }],
  ['unowned', { unowned: 1 }],
  ['recovery', { recoveriesS: [1, 3.1] }],
  ['facts', { facts: [{ name: 'open', value: 6, from: 7, to: 7 }] }],
  ['facts', { facts: [{ name: 'open', value: 8, from: 7, to: 7 }] }],
  ['broken', { broken: 'the service did not start' }],
])('a row fails by %s', (fault, change) => {
  const row = { ...good, ...change };
  expect(findFaults(row)).toEqual([fault]);
  expect(formatRow(row)).toMatch(/ FAIL$/);
  expect([formatRow(row), ...formatDetails(row)].join('\n')).toMatch(/!|broke off/);
});

test('a skipped row says why and is not judged', () => {
  const row = { ...good, runs: 0, checked: 0, skipped: 'Ceph is not installed' };
  expect(findFaults(row)).toEqual([]);
  expect(formatRow(row)).toMatch(/ skipped$/);
  expect(formatDetails(row)[0]).toContain('Ceph is not installed');
});

test('of a value in all runs, the one furthest from what is allowed is kept', () => {
  const tally = new Tally();
  for (const value of [7, 9, 7, 6]) tally.measure('open', value, 7, 7);
  for (const value of [3, 12, 5]) tally.measure('noticed s', value, null, 20);
  expect(tally.facts.map(({ value }) => value)).toEqual([9, 12]);
});

test('a seed repeats its numbers', () => {
  const draw = (seed: string): number[] => {
    const random = new Random(seed);
    return Array.from({ length: 5 }, () => random.between(10, 20));
  };
  expect(draw('a')).toEqual(draw('a'));
  expect(draw('a')).not.toEqual(draw('b'));
  for (const value of draw('c')) expect(value >= 10 && value < 20).toBe(true);
});

test('names of cases are unique, and part of the short form runs', () => {
  expect(new Set(CASES.map(({ name }) => name)).size).toBe(CASES.length);
  expect(CASES.some(({ runs }) => runs.short > 0)).toBe(true);
});

test('an export is compared byte for byte: count, order, content, manifest', () => {
  const objects = Array.from({ length: 1001 }, (_, n) => `{"id":"${n}"}`);
  const expected = hashFiles(objects);
  const files = [objects.slice(0, 1000), objects.slice(1000)].map((part) =>
    Buffer.from(`{"elements":[${part.join(',')}]}`),
  );
  const elements = files.map((file, n) => ({
    objects: n === 0 ? 1000 : 1,
    bytes: file.length,
    sha256: sha256(file),
  }));
  const exported = { files: { elements } } as unknown as Parameters<typeof compare>[0];
  expect(compare(exported, files, expected)).toBeNull();
  expect(compare(exported, files.slice(1), expected)).toMatch(/1 files, not 2/);
  expect(compare(exported, files.toReversed(), expected)).toMatch(/file 0 differs/);
  const untrue = { files: { elements: [elements[0], { ...elements[1], bytes: 1 }] } };
  expect(compare(untrue as typeof exported, files, expected)).toMatch(/its manifest/);
  const twice = hashFiles([objects[0] ?? '', ...objects]);
  expect(compare(exported, files, twice)).toMatch(/differs from the source/);
});
