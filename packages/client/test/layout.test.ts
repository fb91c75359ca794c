import { EXPORT_TYPES, MAX_RANGE_MS } from '@tillroll/contract';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  byTypeAndTime,
  linesPath,
  rangeKey,
  rangeName,
  rangeOfKey,
  servedFolder,
  servedPath,
  shownRange,
  type Layout,
  type TypedRange,
} from '../src/files/layout.ts';
import { FORMATS } from '../src/files/pull-types.ts';

const LAST = Date.UTC(9999, 0, 1);
const instant = fc.oneof(
  fc.integer({ min: 0, max: LAST }),
  fc.integer({ min: 0, max: 30_000 }).map((day) => day * 86_400_000),
  fc.integer({ min: 0, max: 30_000_000 }).map((minute) => minute * 60_000),
);
const range: fc.Arbitrary<TypedRange> = fc
  .record({
    type: fc.constantFrom(...EXPORT_TYPES),
    startTime: instant,
  })
  .chain(({ type, startTime }) =>
    fc
      .oneof(
        fc.integer({ min: 1, max: MAX_RANGE_MS }),
        fc.constantFrom(1, 1000, 86_400_000, MAX_RANGE_MS),
      )
      .map((length) => ({
        type,
        startTime,
        endTime: startTime + length,
      })),
  );
const layout: fc.Arbitrary<Layout> = fc.record({
  out: fc.constant('/out'),
  format: fc.constantFrom(...FORMATS),
  gzip: fc.boolean(),
});

/** Every place that a range has in a directory. */
function places(of: Layout, one: TypedRange): string[] {
  return (['final', 'incoming'] as const).flatMap((place) => [
    linesPath(of, place, one),
    servedPath(of, servedFolder(of, place, one), 0),
    servedPath(of, servedFolder(of, place, one), 9999),
    servedPath(of, servedFolder(of, place, one), 10_000),
  ]);
}

describe('names', () => {
  test('are fit for every file system, and stay inside', () => {
    fc.assert(
      fc.property(layout, range, (of, one) => {
        for (const path of places(of, one)) {
          expect(path.length).toBeLessThan(120);
          for (const part of path.split('/')) {
            expect(part).toMatch(/^[A-Za-z0-9._-]+$/);
            expect(part).not.toMatch(/^\.*$|[. ]$|^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i);
          }
        }
      }),
    );
  });

  test('of two ranges, of two places and of two files are never the same, whatever the case of letters', () => {
    fc.assert(
      fc.property(layout, range, range, (of, a, b) => {
        fc.pre(rangeKey(a) !== rangeKey(b));
        const all = [...places(of, a), ...places(of, b)].map((path) => path.toLowerCase());
        expect(new Set(all).size).toBe(all.length);
      }),
      { numRuns: 1000 },
    );
    const shifted = fc.tuple(range, fc.constantFrom(1, 1000, 60_000, 86_400_000));
    fc.assert(
      fc.property(shifted, ([one, by]) => {
        expect(rangeName(one)).not.toBe(rangeName({ ...one, endTime: one.endTime + by }));
        expect(rangeName(one)).not.toBe(rangeName({ ...one, startTime: one.startTime + by }));
      }),
    );
  });

  test('sort as time goes by', () => {
    fc.assert(
      fc.property(fc.array(range, { maxLength: 8 }), (all) => {
        const sorted = all.toSorted(byTypeAndTime);
        for (const type of EXPORT_TYPES) {
          const times = sorted.filter((one) => one.type === type).map(({ startTime }) => startTime);
          expect(times).toEqual(times.toSorted((a, b) => a - b));
        }
        const types = sorted.map(({ type }) => EXPORT_TYPES.indexOf(type));
        expect(types).toEqual(types.toSorted((a, b) => a - b));
      }),
    );
  });

  test('are read as people read them', () => {
    const january = {
      type: 'ORDERS',
      startTime: Date.UTC(2026, 0, 1),
      endTime: Date.UTC(2026, 0, 31),
    } as const;
    expect(shownRange(january)).toBe('orders/2026-01-01_2026-01-31');
    const odd = {
      ...january,
      type: 'PAYMENTS',
      startTime: january.startTime + 18_000_000,
      endTime: january.endTime + 1,
    } as const;
    expect(shownRange(odd)).toBe('payments/2026-01-01T05-00-00Z_2026-01-31T00-00-00.001Z');
    const plain: Layout = { out: '/out', format: 'jsonl', gzip: false };
    expect(linesPath(plain, 'final', january)).toBe('orders/2026-01-01_2026-01-31.jsonl');
    expect(linesPath({ ...plain, gzip: true }, 'final', january)).toBe(
      'orders/2026-01-01_2026-01-31.jsonl.gz',
    );
    expect(servedPath(plain, 'orders/x', 7)).toBe('orders/x/0007.json');
  });

  test('of the journal say the range again', () => {
    fc.assert(
      fc.property(range, (one) => {
        expect(rangeOfKey(rangeKey(one))).toEqual(one);
      }),
    );
  });
});
