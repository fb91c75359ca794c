import type { TimeRange } from '@tillroll/contract';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { emptyTally } from '../src/assemble/tally.ts';
import type { MonthRecord, OpenExport } from '../src/directory/state.ts';
import { ExportError } from '../src/errors.ts';
import { planType, type MonthPlan, type TypePlan } from '../src/pull/plan-type.ts';
import { Zone } from '../src/time/zone.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const MAX_RANGE = 30 * DAY;
/** Zones whose months have 30 days and an hour, or whose days skip midnight. */
const ZONES = ['UTC', 'America/New_York', 'America/Havana', 'Pacific/Apia'].map(
  (name) => new Zone(name),
);
const [UTC = new Zone('UTC')] = ZONES;

/** A directory as the plan sees it. */
class Directory {
  readonly months: Record<string, MonthRecord> = {};
  exports: OpenExport[] = [];
  #made = 0;

  /** Does what a pull does when a month succeeds. */
  complete({ month, covers, ranges, existing }: MonthPlan): void {
    if (ranges.length === 0) return;
    this.months[month] = {
      covers,
      exports: existing?.exports ?? [],
      lines: { objects: 0, bytes: 0, sha256: '', first: null, last: null },
      tables: [],
      tally: emptyTally(),
    };
    this.exports = this.exports.filter(({ id }) => !ranges.some(({ exportId }) => exportId === id));
  }

  /** Does what a pull does when it ends before a month's files have come. */
  begin({ ranges }: MonthPlan): void {
    for (const { startTime, endTime, exportId } of ranges)
      if (exportId === undefined) this.exports.push({ startTime, endTime, id: `E${this.#made++}` });
  }

  get covered(): TimeRange[] {
    return Object.values(this.months).flatMap(({ covers }) => covers);
  }
}

interface Wish {
  wanted: TimeRange;
  refreshFrom?: number | null;
  zone?: Zone;
  damaged?: readonly string[];
}

function plan(
  state: Directory | undefined,
  { wanted, refreshFrom = null, zone = UTC, damaged = [] }: Wish,
): TypePlan {
  return planType({
    type: 'ORDERS',
    state,
    wanted,
    refreshFrom,
    zone,
    damaged: new Set(damaged),
  });
}

/** Ranges, in their order, cover `whole` exactly, without an overlap. */
function expectExact(ranges: readonly TimeRange[], whole: TimeRange): void {
  let at = whole.startTime;
  for (const { startTime, endTime } of ranges) {
    expect(startTime).toBe(at);
    expect(endTime).toBeGreaterThan(startTime);
    at = endTime;
  }
  expect(at).toBe(whole.endTime);
}

function covers(ranges: readonly TimeRange[], time: number): boolean {
  return ranges.some(({ startTime, endTime }) => startTime <= time && time < endTime);
}

const zone = fc.constantFrom(...ZONES);
/** Instants that matter are at the ends and in the middle of months, and beside them. */
const instant = fc
  .tuple(
    fc.integer({ min: 0, max: 6 }),
    fc.constantFrom(0, 15, 9, 27),
    fc.constantFrom(0, 1, -1, 5 * HOUR, -7 * HOUR),
  )
  .map(([month, days, off]) => Date.UTC(2026, month, 1) + days * DAY + off);
const span = fc
  .tuple(instant, instant)
  .filter(([a, b]) => a !== b)
  .map(([a, b]): TimeRange => ({ startTime: Math.min(a, b), endTime: Math.max(a, b) }));

describe('a first pull', () => {
  test('asks for the whole span, once, in ranges that may be asked for', () => {
    fc.assert(
      fc.property(zone, span, (of, wanted) => {
        const { months, span: whole } = plan(undefined, { wanted, zone: of });
        expect(whole).toEqual(wanted);
        expectExact(
          months.flatMap(({ ranges }) => ranges),
          wanted,
        );
        for (const { month, ranges, covers: covered, span: part, existing } of months) {
          expect(existing).toBeUndefined();
          expect(covered).toEqual([part]);
          for (const { startTime, endTime, exportId } of ranges) {
            expect(exportId).toBeUndefined();
            expect(endTime - startTime).toBeLessThanOrEqual(MAX_RANGE);
            expect(of.month(startTime).name).toBe(month);
            expect(of.month(endTime - 1).name).toBe(month);
          }
        }
        expect(months.map(({ month }) => month)).toEqual(
          [...new Set(months.map(({ month }) => month))].toSorted(),
        );
      }),
    );
  });

  test('cuts a month of 31 days where its 16th day begins', () => {
    const wanted = { startTime: Date.UTC(2026, 0, 1), endTime: Date.UTC(2026, 1, 1) };
    const { months } = plan(undefined, { wanted });
    expect(months).toHaveLength(1);
    expect(months[0]?.ranges.map(({ endTime }) => endTime)).toEqual([
      Date.UTC(2026, 0, 16),
      wanted.endTime,
    ]);
  });
});

describe('a later pull', () => {
  /** Plans one after the other; each month succeeds, breaks off, or does neither. */
  const history = fc.array(
    fc.record({
      wanted: span,
      fates: fc.array(fc.constantFrom('done', 'done', 'begun', 'nothing'), {
        minLength: 8,
        maxLength: 8,
      }),
    }),
    { minLength: 1, maxLength: 4 },
  );

  function replay(
    of: Zone,
    pulls: readonly { wanted: TimeRange; fates: readonly string[] }[],
  ): Directory {
    const directory = new Directory();
    for (const { wanted, fates } of pulls) {
      let planned: TypePlan;
      try {
        planned = plan(directory, { wanted, zone: of });
      } catch (error) {
        if (error instanceof ExportError && error.code === 'USAGE') continue;
        throw error;
      }
      // Forgets exports that the plan does not continue, as a pull does.
      const kept = planned.months.flatMap(({ ranges }) => ranges.map(({ exportId }) => exportId));
      directory.exports = directory.exports.filter(({ id }) => kept.includes(id));
      for (const [i, month] of planned.months.entries()) {
        const fate = fates[i % fates.length];
        if (fate !== 'nothing') directory.begin(month);
        if (fate !== 'done') continue;
        directory.complete(month);
        const { startTime, endTime } = month.span;
        directory.exports = directory.exports.filter(
          (open) => open.endTime <= startTime || open.startTime >= endTime,
        );
      }
    }
    return directory;
  }

  test('fetches what is missing and nothing else, whatever happened before', () => {
    fc.assert(
      fc.property(zone, history, span, (of, pulls, wanted) => {
        const directory = replay(of, pulls);
        const before = directory.covered;
        let planned: TypePlan;
        try {
          planned = plan(directory, { wanted, zone: of });
        } catch (error) {
          // It may refuse to leave a gap, and then says so.
          expect(error).toBeInstanceOf(ExportError);
          expect((error as ExportError).message).toMatch(/leave a gap/);
          return;
        }
        const ends = [...before, wanted].flatMap(({ startTime, endTime }) => [startTime, endTime]);
        expect(planned.span).toEqual({
          startTime: Math.min(...ends),
          endTime: Math.max(...ends),
        });
        const fetched = planned.months.flatMap(({ ranges }) => ranges);
        for (const { startTime, endTime } of fetched)
          for (const time of [startTime, endTime - 1]) expect(covers(before, time)).toBe(false);
        for (const month of planned.months) directory.complete(month);
        expectExact(
          Object.keys(directory.months)
            .toSorted()
            .flatMap((month) => directory.months[month]?.covers ?? []),
          planned.span,
        );
        // Then nothing is left to be done.
        const again = plan(directory, { wanted, zone: of });
        expect(again.months.every(({ ranges }) => ranges.length === 0)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test('continues the exports that an earlier one asked for', () => {
    fc.assert(
      fc.property(zone, span, (of, wanted) => {
        const directory = new Directory();
        for (const month of plan(directory, { wanted, zone: of }).months) directory.begin(month);
        const asked = directory.exports.map(({ id }) => id);
        const longer = { startTime: wanted.startTime, endTime: wanted.endTime + 40 * DAY };
        const fetched = plan(directory, { wanted: longer, zone: of }).months.flatMap(
          ({ ranges }) => ranges,
        );
        expect(fetched.flatMap(({ exportId }) => exportId ?? [])).toEqual(asked);
        expectExact(fetched, longer);
      }),
    );
  });

  test('fetches the overlap again, and keeps what is before it', () => {
    fc.assert(
      fc.property(zone, span, fc.integer({ min: 0, max: 40 * DAY }), (of, wanted, overlap) => {
        const directory = new Directory();
        for (const month of plan(directory, { wanted, zone: of }).months) directory.complete(month);
        const refreshFrom = Math.max(wanted.startTime, wanted.endTime - overlap);
        const longer = { startTime: wanted.startTime, endTime: wanted.endTime + 3 * DAY };
        const { months } = plan(directory, { wanted: longer, refreshFrom, zone: of });
        expectExact(
          months.flatMap(({ ranges }) => ranges),
          { startTime: refreshFrom, endTime: longer.endTime },
        );
        for (const { existing, covers: covered, span: part } of months) {
          if (existing === undefined) expect(part.startTime).toBeGreaterThanOrEqual(refreshFrom);
          expect(covered).toEqual([part]);
        }
      }),
    );
  });

  test('fetches a month again whose file is damaged', () => {
    const wanted = { startTime: Date.UTC(2026, 1, 1), endTime: Date.UTC(2026, 4, 1) };
    const directory = new Directory();
    for (const month of plan(directory, { wanted }).months) directory.complete(month);
    const { months } = plan(directory, { wanted, damaged: ['2026-03'] });
    const [march] = months.filter(({ ranges }) => ranges.length > 0);
    expect(march?.month).toBe('2026-03');
    expect(march?.existing).toBeUndefined();
    expectExact(march?.ranges ?? [], {
      startTime: Date.UTC(2026, 2, 1),
      endTime: Date.UTC(2026, 3, 1),
    });
  });
});
