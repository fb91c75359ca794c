import type { ExportObject } from '@tillroll/contract';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { listFiles, orderAs } from '../src/download/file-list.ts';

function exported(urls: readonly string[], promised?: readonly string[]): ExportObject {
  return {
    exportUrls: { elements: urls.map((url) => ({ url })) },
    ...(promised && {
      files: { elements: promised.map((sha256) => ({ objects: 1, bytes: 1, sha256 })) },
    }),
  } as unknown as ExportObject;
}

function order(urls: readonly string[]): string[] {
  return (listFiles(exported(urls)) ?? []).map(({ url }) => url);
}

const SIGNED = 'https://files.example/m/3X7/0000';

describe('the files of an export', () => {
  test('come in the order of the numbers in their names, however they are listed', () => {
    const url =
      (from: number, pad: number) =>
      (_: unknown, i: number): string =>
        `https://h.example/v2/exports/X1Y2/part-${String(i + from).padStart(pad, '0')}.json?sig=${(i * 7919) % 101}`;
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 300 }),
        fc.nat({ max: 5 }),
        fc.constantFrom(1, 4),
        fc.nat(),
        (count, from, pad, seed) => {
          const inOrder = Array.from({ length: count }, url(from, pad));
          const listed = inOrder.toSorted(
            (a, b) =>
              ((a.length * 31 + seed) % 7) - ((b.length * 31 + seed) % 7) || (a < b ? 1 : -1),
          );
          expect(order(listed)).toEqual(inOrder);
          expect(order(inOrder.toReversed())).toEqual(inOrder);
        },
      ),
      { numRuns: 50 },
    );
  });

  test.each([
    ['names without numbers', ['https://h/b', 'https://h/a']],
    ['numbers with a gap', ['https://h/3', 'https://h/1']],
    ['a number twice', ['https://h/01', 'https://h/1', 'https://h/2']],
    ['two numbers that differ', ['https://h/2-1', 'https://h/1-2']],
    ['a number and a word that differ', ['https://h/b2', 'https://h/a1']],
    ['different depths', ['https://h/2/x', 'https://h/1']],
    ['numbers in the query alone', ['https://h/f?2', 'https://h/f?1']],
    ['random names', ['https://h/9f3a', 'https://h/1c7b', 'https://h/000d']],
    [
      'numbers too large to tell apart',
      ['https://h/90071992547409931', 'https://h/90071992547409930'],
    ],
    ['one', ['https://h/7']],
    ['none', []],
  ])('stay as listed: %s', (_, urls) => {
    expect(order(urls)).toEqual(urls);
  });

  test('have a key that outlives a signature, and the entry that was listed with them', () => {
    const urls = [`${SIGNED}2.json?X-Sig=b#f`, `${SIGNED}1.json?X-Sig=a`];
    const files = listFiles(exported(urls, ['two', 'one']));
    expect(files?.map(({ key, expected }) => [key, expected?.sha256])).toEqual([
      [`${SIGNED}1.json`, 'one'],
      [`${SIGNED}2.json`, 'two'],
    ]);
    // A list of another length says nothing.
    expect(listFiles(exported(urls, ['two']))?.map(({ expected }) => expected)).toEqual([
      undefined,
      undefined,
    ]);
  });

  test('may be as many as an answer can list', () => {
    const urls = Array.from({ length: 200_000 }, (_, i) => `https://h/${i}`);
    expect(order(urls.toReversed())).toEqual(urls);
  });

  test('keep the order of an earlier run, whatever order they are listed in now', () => {
    const listed = (urls: readonly string[]) => listFiles(exported(urls)) ?? [];
    const before = listed(['https://h/b?1', 'https://h/a?1']);
    const now = listed(['https://h/a?2', 'https://h/b?2']);
    expect(orderAs(before, now).map(({ key }) => key)).toEqual(['https://h/b', 'https://h/a']);
    for (const others of [['https://h/a'], ['https://h/a', 'https://h/c'], []]) {
      const files = listed(others);
      expect(orderAs(before, files)).toBe(files);
    }
    expect(orderAs(undefined, now)).toBe(now);
  });

  test('are undefined when they are gone', () => {
    expect(listFiles({} as ExportObject)).toBeUndefined();
  });
});
