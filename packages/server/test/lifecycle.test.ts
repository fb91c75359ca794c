import { EXPORT_STATUSES, type ExportStatus } from '@tillroll/contract';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  EXPORT_EVENTS,
  LIFE_CYCLE,
  interruptionDelayMs,
  MAX_ERRORS,
  MAX_INTERRUPTIONS,
  MAX_PERMANENT_ERRORS,
  retryDelayMs,
  transition,
  type ExportEvent,
} from '../src/exports/lifecycle.ts';

const ENDED: readonly ExportStatus[] = ['DONE', 'FAILED', 'CANCELED'];
const OPEN: readonly ExportStatus[] = ['PENDING', 'IN_PROGRESS'];

/** The state after an event; the same state where it changes nothing. */
function after(status: ExportStatus, event: ExportEvent): ExportStatus {
  return LIFE_CYCLE[status][event] ?? status;
}

/** Every single cell, so that no later change slips through. */
const TABLE: [ExportStatus, Partial<Record<ExportEvent, ExportStatus>>][] = [
  ['PENDING', { claim: 'IN_PROGRESS', release: 'PENDING', fail: 'FAILED', cancel: 'CANCELED' }],
  [
    'IN_PROGRESS',
    {
      claim: 'IN_PROGRESS',
      complete: 'DONE',
      retry: 'PENDING',
      release: 'PENDING',
      fail: 'FAILED',
      cancel: 'CANCELED',
    },
  ],
  ['DONE', { expire: 'DONE', delete: 'DONE' }],
  ['FAILED', { reopen: 'PENDING' }],
  ['CANCELED', { reopen: 'PENDING' }],
];

describe('the table', () => {
  test('is total', () => {
    expect(Object.keys(LIFE_CYCLE).toSorted()).toEqual([...EXPORT_STATUSES].toSorted());
    for (const status of EXPORT_STATUSES) {
      expect(Object.keys(LIFE_CYCLE[status]).toSorted()).toEqual([...EXPORT_EVENTS].toSorted());
      for (const event of EXPORT_EVENTS) {
        const next = LIFE_CYCLE[status][event];
        expect(next === null || EXPORT_STATUSES.includes(next)).toBe(true);
      }
    }
  });

  test.each(TABLE)('%s', (status, moves) => {
    for (const event of EXPORT_EVENTS)
      expect([event, LIFE_CYCLE[status][event]]).toEqual([event, moves[event] ?? null]);
  });

  test.each(EXPORT_EVENTS)('transition(%s) is the table read by event', (event) => {
    const { from, to } = transition(event);
    expect(from.length).toBeGreaterThan(0);
    expect(new Set(from).size).toBe(from.length);
    for (const status of EXPORT_STATUSES)
      expect(LIFE_CYCLE[status][event]).toBe(from.includes(status) ? to : null);
  });
});

describe('random walks', () => {
  /** All that happens to an export unless its operator has it run again. */
  const events = EXPORT_EVENTS.filter((event) => event !== 'reopen');
  const walks = fc.array(fc.constantFrom(...events), { maxLength: 60 });
  const walksWithOperator = fc.array(fc.constantFrom(...EXPORT_EVENTS), { maxLength: 60 });

  test('what has ended stays as it ended', () => {
    fc.assert(
      fc.property(fc.constantFrom(...ENDED), walks, (start, walk) => {
        let status = start;
        for (const event of walk) {
          const next = LIFE_CYCLE[status][event];
          if ((event === 'expire' || event === 'delete') && status === 'DONE')
            expect(next).toBe('DONE');
          else expect(next).toBeNull();
          status = after(status, event);
        }
        expect(status).toBe(start);
      }),
    );
  });

  test('only complete leads to DONE, only from IN_PROGRESS; FAILED and CANCELED have their events', () => {
    fc.assert(
      fc.property(walks, (walk) => {
        let status: ExportStatus = 'PENDING';
        let claims = 0;
        for (const event of walk) {
          const before: ExportStatus = status;
          status = after(status, event);
          if (event === 'claim') claims++;
          if (status === 'IN_PROGRESS' && before !== status) expect(event).toBe('claim');
          if (before === status) continue;
          expect(OPEN).toContain(before);
          if (status === 'DONE') {
            expect([before, event]).toEqual(['IN_PROGRESS', 'complete']);
            expect(claims).toBeGreaterThan(0);
          }
          if (status === 'FAILED') expect(event).toBe('fail');
          if (status === 'CANCELED') expect(event).toBe('cancel');
          if (status === 'PENDING') expect(['retry', 'release']).toContain(event);
        }
      }),
      { numRuns: 1000 },
    );
  });

  test('the operator brings back what is FAILED or CANCELED, and never what is DONE', () => {
    fc.assert(
      fc.property(walksWithOperator, (walk) => {
        let status: ExportStatus = 'PENDING';
        for (const event of walk) {
          const before: ExportStatus = status;
          status = after(status, event);
          if (ENDED.includes(before) && status !== before) {
            expect([event, status]).toEqual(['reopen', 'PENDING']);
            expect(['FAILED', 'CANCELED']).toContain(before);
          }
        }
      }),
      { numRuns: 1000 },
    );
  });

  test('every open export can still end in each of the three ways', () => {
    fc.assert(
      fc.property(walksWithOperator, (walk) => {
        const status = walk.reduce<ExportStatus>(after, 'PENDING');
        fc.pre(OPEN.includes(status));
        expect(after(after(status, 'claim'), 'complete')).toBe('DONE');
        expect(after(status, 'fail')).toBe('FAILED');
        expect(after(status, 'cancel')).toBe('CANCELED');
      }),
    );
  });

  test('an export ends at most once', () => {
    fc.assert(
      fc.property(walks, (walk) => {
        let status: ExportStatus = 'PENDING';
        let endings = 0;
        for (const event of walk) {
          const before: ExportStatus = status;
          status = after(status, event);
          if (before !== status && ENDED.includes(status)) endings++;
        }
        expect(endings).toBe(ENDED.includes(status) ? 1 : 0);
      }),
    );
  });
});

describe('tries', () => {
  test('eight errors of the export itself, two where another try cannot help, twenty interruptions', () => {
    expect([MAX_ERRORS, MAX_PERMANENT_ERRORS, MAX_INTERRUPTIONS]).toEqual([8, 2, 20]);
  });

  test('the pauses grow from seconds to minutes, and leave a person 15 to 30 minutes', () => {
    const pauses = Array.from({ length: MAX_ERRORS - 1 }, (_, i) => retryDelayMs(i + 1, 0.5));
    expect(pauses).toEqual(pauses.toSorted((a, b) => a - b));
    expect(new Set(pauses).size).toBe(pauses.length);
    expect(pauses[0]).toBeLessThanOrEqual(10_000);
    const total = (random: number): number =>
      pauses.reduce((sum, _, i) => sum + retryDelayMs(i + 1, random), 0);
    expect(total(0)).toBeGreaterThanOrEqual(15 * 60_000);
    expect(total(1)).toBeLessThanOrEqual(30 * 60_000);
  });

  test('lost links are waited for, too: a server that stays away for ten minutes ends no export', () => {
    const pauses = Array.from({ length: MAX_INTERRUPTIONS }, (_, i) => interruptionDelayMs(i + 1));
    expect(pauses.slice(0, 3)).toEqual([2000, 4000, 8000]);
    expect(pauses.toSorted((a, b) => a - b)).toEqual(pauses);
    expect(pauses.at(-1)).toBe(60_000);
    expect(pauses.reduce((sum, pause) => sum + pause, 0)).toBeGreaterThan(10 * 60_000);
  });

  test('each wait is bounded, and spread around its pause', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 10_000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (errors, random) => {
          const pause = retryDelayMs(errors, 0.5);
          expect(retryDelayMs(errors, random)).toBeGreaterThanOrEqual(Math.floor(pause * 0.8));
          expect(retryDelayMs(errors, random)).toBeLessThanOrEqual(Math.ceil(pause * 1.2));
          expect(pause).toBeLessThanOrEqual(8 * 60_000);
        },
      ),
    );
    expect(new Set(Array.from({ length: 20 }, () => retryDelayMs(3))).size).toBeGreaterThan(1);
  });
});
