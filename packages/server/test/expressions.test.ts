import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { expressionsBelow, expressionsIn, isLinear } from './expressions.ts';

const SOURCES = ['../src', '../../contract/src'].map((path) =>
  fileURLToPath(new URL(path, import.meta.url)),
);

describe('no expression over a text takes longer than in proportion to it', () => {
  test('in all sources of the server and of the contract', { timeout: 240_000 }, async () => {
    const found = (await Promise.all(SOURCES.map(expressionsBelow))).flat();
    expect(found.length).toBeGreaterThan(20);
    const faults = found.flatMap(({ at, pattern }) => {
      if (pattern === null) return [`${at}: made of something computed`];
      return isLinear(pattern) ? [] : [`${at}: ${String(pattern)}`];
    });
    expect(faults).toEqual([]);
  });

  test.for([
    // Found by strangers in a Range header of 16 kB.
    [/^bytes=\s*([0-9]*)\s*-\s*([0-9]*)\s*$/i],
    // Were here, too.
    [/\s*\n\s*/g],
    [/\/+$/],
    [/^(a+)+$/],
    [/^\s*(.*?)\s*$/],
    [/^Bearer +(.+) +x$/],
  ] as const)('the check finds %s', ([pattern]) => {
    expect(isLinear(pattern)).toBe(false);
  });

  test.for([[/^[0-9]*$/], [/^Bearer +([^\s]+) *$/i], [/^(08...|57P0[123]|53300)$/]] as const)(
    'and passes %s',
    ([pattern]) => {
      expect(isLinear(pattern)).toBe(true);
    },
  );
});

describe('the walk', () => {
  test('finds literals, constructors and the methods that take a text', () => {
    const text = `
      const a = /a/g;
      function f(x: string) { return x.match(/b/u) ?? new RegExp('c', 'i').exec(x) ?? RegExp(\`d\`); }
      class K { static readonly #e = { e: [/e/] }; g = (y: string) => y.search('f'); }
      'x'.replace('g', 'h').split('i');
    `;
    expect([...expressionsIn(text, 'x.ts')].map(({ pattern }) => String(pattern))).toEqual([
      '/a/g',
      '/b/u',
      '/c/i',
      '/d/',
      '/e/',
      '/f/',
    ]);
  });

  test.for([
    'new RegExp(x)',
    'RegExp(`a${x}`)',
    'x.match(y)',
    'x.search(a + b)',
    "new RegExp('a', x)",
  ])('%s cannot be judged, and is a fault', (text) => {
    expect([...expressionsIn(`const z = ${text};`, 'x.ts')]).toEqual([
      { at: 'x.ts:1', pattern: null },
    ]);
  });
});
