import { cells, MAX_RANGE_MS, type TimeRange } from '@tillroll/contract';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ExportError } from '../src/errors.ts';
import type { DoneRange } from '../src/files/journal.ts';
import { planType, type Task, type TypePlan } from '../src/files/plan.ts';
import { emptyTally } from '../src/files/tally.ts';

const CELL = MAX_RANGE_MS;
const ORIGIN = 680 * CELL;

/** A directory as the plan sees it. */
class Directory {
  readonly layout = { out: '/out', format: 'jsonl', gzip: false } as const;
  #done: DoneRange[] = [];

  done(place: string, type?: string): DoneRange[] {
    return this.#done
      .filter((range) => range.place === place && (type === undefined || range.type === type))
      .toSorted((a, b) => a.startTime - b.startTime);
  }

  /** As `RangeTask` does it. */
  complete({ range, have, fetch }: Task): void {
    if (fetch.length === 0 && have.length === 1) return;
    this.#done = this.#done.filter((done) => !have.includes(done));
    this.#done.push({ ...range, place: 'final', exports: [], tally: emptyTally(), files: [] });
  }
}

function plan(directory: Directory, wanted: TimeRange, refreshFrom?: number): TypePlan {
  return planType(directory, 'ORDERS', wanted, refreshFrom);
}

/** Whether ranges, in their order, cover `whole` exactly, without an overlap. */
function expectExact(ranges: readonly TimeRange[], whole: TimeRange): void {
  let at = whole.startTime;
  for (const { startTime, endTime } of ranges) {
    expect(startTime).toBe(at);
    expect(endTime).toBeGreaterThan(startTime);
    at = endTime;
  }
  expect(at).toBe(whole.endTime);
}

function isWithin(inner: TimeRange, outer: TimeRange): boolean {
  return inner.startTime >= outer.startTime && inner.endTime <= outer.endTime;
}

function covers(ranges: readonly TimeRange[], time: number): boolean {
  return ranges.some(({ startTime, endTime }) => startTime <= time && time < endTime);
}

/** Instants that matter are at cells' edges and beside them. */
const instant = fc
  .tuple(
    fc.integer({ min: 0, max: 5 }),
    fc.constantFrom(0, 1, -1, 7_200_000, CELL / 2, CELL - 86_400_000),
  )
  .map(([cell, off]) => ORIGIN + cell * CELL + off);
const wish = fc.record({
  a: instant,
  b: instant,
  refresh: fc.option(instant, { nil: undefined }),
  /** Which tasks come to their end; the others fail, or the pull is killed. */
  completes: fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }),
});

describe('a plan', () => {
  test('of any pull after any others covers its span exactly, in cells, and fetches what is not there', () => {
    let refused = 0;
    let planned = 0;
    fc.assert(
      fc.property(fc.array(wish, { minLength: 1, maxLength: 8 }), (wishes) => {
        const directory = new Directory();
        for (const { a, b, refresh, completes } of wishes) {
          if (a === b) continue;
          const wanted = { startTime: Math.min(a, b), endTime: Math.max(a, b) };
          const before = directory.done('final', 'ORDERS');
          const [first, last] = [before[0]?.startTime, before.at(-1)?.endTime];
          const leavesGap =
            first !== undefined &&
            last !== undefined &&
            (wanted.startTime > last || wanted.endTime < first);
          if (leavesGap) {
            refused++;
            expect(() => plan(directory, wanted, refresh)).toThrow(ExportError);
            continue;
          }
          planned++;
          const made = plan(directory, wanted, refresh);
          const { span, tasks } = made;
          expect(span).toEqual({
            startTime: Math.min(first ?? wanted.startTime, wanted.startTime),
            endTime: Math.max(last ?? wanted.endTime, wanted.endTime),
          });
          expectExact(
            tasks.map(({ range }) => range),
            span,
          );
          // The very cells of a single pull of all of it.
          expect(
            tasks.map(({ range: { startTime, endTime } }) => ({ startTime, endTime })),
          ).toEqual([...cells(span)]);
          expect(tasks.flatMap(({ have }) => have)).toEqual(before);
          for (const { range, have, fetch } of tasks) {
            for (const piece of [...have, ...fetch]) expect(isWithin(piece, range)).toBe(true);
            for (const { startTime, endTime } of fetch)
              expect(endTime - startTime).toBeLessThanOrEqual(CELL);
            // What is fetched is as few pieces as can be: none touches another.
            for (const [i, piece] of fetch.entries())
              if (i > 0)
                expect(piece.startTime).toBeGreaterThan((fetch[i - 1] as TimeRange).endTime);
            const edges = [range, ...have, ...fetch].flatMap(({ startTime, endTime }) => [
              startTime,
              endTime - 1,
            ]);
            if (refresh !== undefined) edges.push(refresh, refresh - 1);
            for (const time of edges.filter((at) => covers([range], at))) {
              expect(covers([...have, ...fetch], time)).toBe(true);
              const mustBeFetched =
                !covers(have, time) || (refresh !== undefined && time >= refresh);
              // A cell of which nothing is there is fetched whole; of others, what is needed and no more.
              expect(covers(fetch, time)).toBe(mustBeFetched);
            }
          }
          // Asked again, it is the same.
          expect(plan(directory, wanted, refresh)).toEqual(made);
          for (const [i, task] of tasks.entries())
            if (completes[i % completes.length]) directory.complete(task);
          if (completes.every(Boolean)) {
            const again = plan(directory, wanted);
            expect(again.span).toEqual(span);
            for (const { fetch, have } of again.tasks)
              expect([fetch, have.length]).toEqual([[], 1]);
          }
        }
      }),
      { numRuns: 1000 },
    );
    expect(refused).toBeGreaterThan(50);
    expect(planned).toBeGreaterThan(500);
  });

  test('of a longer pull asks for the ranges that are complete no more', () => {
    const directory = new Directory();
    const start = ORIGIN + 5;
    for (const task of plan(directory, { startTime: start, endTime: ORIGIN + 2 * CELL + 100 })
      .tasks)
      directory.complete(task);
    const { tasks } = plan(directory, { startTime: start, endTime: ORIGIN + 3 * CELL });
    expect(tasks.flatMap(({ fetch }) => fetch)).toEqual([
      { type: 'ORDERS', startTime: ORIGIN + 2 * CELL + 100, endTime: ORIGIN + 3 * CELL },
    ]);
  });

  test('that would leave a gap says what is there and what was asked for', () => {
    const directory = new Directory();
    for (const task of plan(directory, { startTime: ORIGIN, endTime: ORIGIN + CELL }).tasks)
      directory.complete(task);
    expect(() =>
      plan(directory, { startTime: ORIGIN + CELL + 1, endTime: ORIGIN + CELL + 2 }),
    ).toThrow(
      '/out holds orders from 2025-11-08T00:00:00Z to 2025-12-08T00:00:00Z; from 2025-12-08T00:00:00.001Z to 2025-12-08T00:00:00.002Z would leave a gap',
    );
    expect(() => plan(directory, { startTime: 0, endTime: ORIGIN - 1 })).toThrow(
      /would leave a gap/,
    );
    // Touching is no gap.
    expect(
      plan(directory, { startTime: ORIGIN + CELL, endTime: ORIGIN + CELL + 1 }).tasks,
    ).toHaveLength(2);
  });
});
