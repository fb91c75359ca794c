import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  cells,
  DAY_MS,
  MAX_RANGE_MS,
  MAX_TIME_MS,
  parseExportRequest,
  type TimeRange,
} from '../src/index.ts';

/** Some hundred cells at most, anywhere in time, often on or beside the edge of a cell. */
const arbitrarySpan: fc.Arbitrary<TimeRange> = fc
  .tuple(
    fc.oneof(
      fc.integer({ min: 0, max: MAX_TIME_MS - 1 }),
      fc
        .tuple(
          fc.integer({ min: 1, max: Math.floor(MAX_TIME_MS / MAX_RANGE_MS) - 1 }),
          fc.constantFrom(-1, 0, 1),
        )
        .map(([cell, off]) => cell * MAX_RANGE_MS + off),
    ),
    fc.oneof(
      fc.integer({ min: 1, max: 200 * MAX_RANGE_MS }),
      fc.constantFrom(1, MAX_RANGE_MS - 1, MAX_RANGE_MS, MAX_RANGE_MS + 1),
    ),
  )
  .map(([startTime, length]) => ({
    startTime,
    endTime: Math.min(startTime + length, MAX_TIME_MS),
  }));

describe('cells', () => {
  test('cover the span exactly, in order, without overlap', () => {
    fc.assert(
      fc.property(arbitrarySpan, (span) => {
        let reached = span.startTime;
        for (const cell of cells(span)) {
          expect(cell.startTime).toBe(reached);
          expect(cell.endTime).toBeGreaterThan(cell.startTime);
          reached = cell.endTime;
        }
        expect(reached).toBe(span.endTime);
      }),
    );
  });

  test('may each be requested, and meet on multiples of 30 days from epoch 0 alone', () => {
    fc.assert(
      fc.property(arbitrarySpan, (span) => {
        const all = [...cells(span)];
        for (const cell of all) {
          expect(parseExportRequest({ type: 'ORDERS', ...cell })).toMatchObject({ ok: true });
        }
        for (const { startTime } of all.slice(1)) expect(startTime % MAX_RANGE_MS).toBe(0);
        // No more of them than there are grid cells that the span touches.
        const first = Math.floor(span.startTime / MAX_RANGE_MS);
        const last = Math.floor((span.endTime - 1) / MAX_RANGE_MS);
        expect(all.length).toBe(last - first + 1);
      }),
    );
  });

  test('of a longer span are the same where both are whole', () => {
    const more = fc.integer({ min: 0, max: 3 * MAX_RANGE_MS });
    fc.assert(
      fc.property(arbitrarySpan, more, more, (span, before, after) => {
        const longer = {
          startTime: Math.max(0, span.startTime - before),
          endTime: Math.min(MAX_TIME_MS, span.endTime + after),
        };
        const asked = [...cells(longer)];
        // All but the first and the last, which the bounds of the span may clip.
        const inner = [...cells(span)].slice(1, -1);
        for (const cell of inner) expect(asked).toContainEqual(cell);
        // A longer end leaves the first as well, unless the span ended in it; and the other way round.
        const ended = [...cells({ startTime: span.startTime, endTime: longer.endTime })];
        expect(ended).toEqual(expect.arrayContaining([...cells(span)].slice(0, -1)));
        const begun = [...cells({ startTime: longer.startTime, endTime: span.endTime })];
        expect(begun).toEqual(expect.arrayContaining([...cells(span)].slice(1)));
      }),
    );
  });

  test('of a cell are that cell', () => {
    fc.assert(
      fc.property(arbitrarySpan, (span) => {
        for (const cell of cells(span)) expect([...cells(cell)]).toEqual([cell]);
      }),
    );
  });

  test('are half-open: each instant is in one of them', () => {
    const edge = 10 * MAX_RANGE_MS;
    const both = [...cells({ startTime: edge - DAY_MS, endTime: edge + DAY_MS })];
    expect(both).toEqual([
      { startTime: edge - DAY_MS, endTime: edge },
      { startTime: edge, endTime: edge + DAY_MS },
    ]);
    const holding = both.filter(({ startTime, endTime }) => startTime <= edge && edge < endTime);
    expect(holding).toEqual([both[1]]);
  });

  test.each([
    ['a whole cell', 0, MAX_RANGE_MS, 1],
    ['1 ms', 0, 1, 1],
    ['the last millisecond of a cell', MAX_RANGE_MS - 1, MAX_RANGE_MS, 1],
    ['2 ms over an edge', MAX_RANGE_MS - 1, MAX_RANGE_MS + 1, 2],
    ['a cell and 1 ms', 0, MAX_RANGE_MS + 1, 2],
    ['30 days off the grid', DAY_MS, DAY_MS + MAX_RANGE_MS, 2],
    ['before epoch 0', -1, 1, 2],
  ])('%s', (_name, startTime, endTime, count) => {
    expect([...cells({ startTime, endTime })]).toHaveLength(count);
  });

  test('come one by one: the whole of time is not held', () => {
    const { value } = cells({ startTime: 0, endTime: MAX_TIME_MS }).next();
    expect(value).toEqual({ startTime: 0, endTime: MAX_RANGE_MS });
  });

  test.each([
    [1, 1],
    [2, 1],
    [0.5, 1],
    [0, 1.5],
    [Number.NaN, 1],
    [0, Number.POSITIVE_INFINITY],
    [0, 2 ** 53],
  ])('%s to %s is no range', (startTime, endTime) => {
    expect(() => [...cells({ startTime, endTime })]).toThrow(
      new RangeError(`not a range of time: ${startTime} to ${endTime}`),
    );
  });
});
