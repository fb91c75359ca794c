import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { IdSet } from '../src/files/id-set.ts';

describe('a set of ids', () => {
  test('knows what a Set of strings knows', () => {
    const id = fc.oneof(
      fc.stringMatching(/^[AB]{0,3}$/),
      fc.stringMatching(/^[0-9A-Z]{13}$/),
      fc.string({ unit: 'grapheme', maxLength: 30 }),
      fc.nat({ max: 50 }).map((length) => 'é'.repeat(length)),
    );
    fc.assert(
      fc.property(fc.array(id, { maxLength: 400 }), (ids) => {
        const known = new Set<string>();
        const set = new IdSet();
        for (const one of ids) {
          expect(set.add(one), JSON.stringify(one)).toBe(!known.has(one));
          known.add(one);
        }
      }),
      { numRuns: 200 },
    );
  });

  test('knows all of many, through every growth', () => {
    const set = new IdSet();
    const id = (i: number): string => `${(i * 2_654_435_761) % 4_294_967_296}-${i}`;
    for (let i = 0; i < 50_000; i++) if (!set.add(id(i))) throw new Error(`${id(i)} is new`);
    for (let i = 0; i < 50_000; i++) if (set.add(id(i))) throw new Error(`${id(i)} is known`);
    expect(set.add('another')).toBe(true);
  });

  test('tells ids apart that hold the bytes of others', () => {
    const set = new IdSet();
    for (const id of [
      '',
      '\0',
      '\0\0',
      'a',
      'ab',
      'b',
      'a\0b',
      '\u0001a',
      'aa',
      'aaa',
      'x'.repeat(256),
      'x'.repeat(65_535),
    ])
      expect(set.add(id)).toBe(true);
    for (const id of ['', 'a', 'aaa', 'x'.repeat(65_535)]) expect(set.add(id)).toBe(false);
    expect(() => set.add('x'.repeat(65_536))).toThrow(RangeError);
    expect(set.add('still there')).toBe(true);
  });
});
