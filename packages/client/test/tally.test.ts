import { EXPORT_TYPES } from '@tillroll/contract';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addTally, Counter, emptyTally, type Tally } from '../src/assemble/tally.ts';
import { emptyMembers, type Members } from '../src/json/members.ts';
import { Zone } from '../src/time/zone.ts';

const RANGE = { startTime: Date.UTC(2009, 9, 20), endTime: Date.UTC(2009, 10, 19) };
const maybe = (value: fc.Arbitrary<number>): fc.Arbitrary<number> =>
  fc.oneof(value, fc.constant(Number.NaN));
const money = maybe(fc.integer({ min: -100_000, max: 10_000_000 }));
const members: fc.Arbitrary<Members> = fc.record({
  id: fc.constantFrom('A', 'B'),
  createdTime: fc.oneof(
    fc.integer({ min: RANGE.startTime - 5, max: RANGE.endTime + 5 }),
    fc.constantFrom(RANGE.startTime, RANGE.endTime - 1, RANGE.endTime, RANGE.endTime + 1),
    // The hour in which Newfoundland had October and November twice.
    fc.integer({ min: Date.UTC(2009, 10, 1, 2), max: Date.UTC(2009, 10, 1, 4) }),
  ),
  modifiedTime: fc.constant(0),
  currency: fc.constantFrom('', 'USD', 'EUR', 'U SD\n', '__proto__', 'constructor', 'x'.repeat(99)),
  result: fc.constantFrom('', 'SUCCESS', 'FAIL', 'so so', '__proto__'),
  total: money,
  amount: money,
  tipAmount: money,
  taxAmount: money,
  hasBreaks: fc.boolean(),
});
const type = fc.constantFrom(...EXPORT_TYPES);
const zone = fc.constantFrom(new Zone('UTC'), new Zone('America/St_Johns'), new Zone('Asia/Tokyo'));

function counted(of: (typeof EXPORT_TYPES)[number], where: Zone, all: readonly Members[]): Tally {
  const counter = new Counter(of, [RANGE], where);
  for (const one of all) counter.add(one);
  return counter.tally;
}

describe('a tally', () => {
  test('of the whole is the sum of those of its parts, wherever it is cut, also through JSON', () => {
    fc.assert(
      fc.property(
        type,
        zone,
        fc.array(members, { maxLength: 20 }),
        fc.nat(),
        fc.nat(),
        (of, where, all, a, b) => {
          const [first, second] = [a, b]
            .map((cut) => cut % (all.length + 1))
            .toSorted((x, y) => x - y) as [number, number];
          const sum = emptyTally();
          for (const part of [all.slice(0, first), all.slice(first, second), all.slice(second)])
            addTally(sum, JSON.parse(JSON.stringify(counted(of, where, part))) as Tally);
          expect(sum).toEqual(counted(of, where, all));
        },
      ),
      { numRuns: 1000 },
    );
  });

  test('adds up to what was counted', () => {
    fc.assert(
      fc.property(
        type,
        zone,
        fc.array(members, { minLength: 1, maxLength: 20 }),
        (of, where, all) => {
          const tally = counted(of, where, all);
          const times = all.map(({ createdTime }) => createdTime);
          const sum = (value: (m: Members) => number): number =>
            all.reduce((total, m) => total + (value(m) || 0), 0);
          expect(tally.objects).toBe(all.length);
          expect(tally.first).toBe(Math.min(...times));
          expect(tally.last).toBe(Math.max(...times));
          expect(tally.outside).toBe(
            times.filter((time) => time < RANGE.startTime || time >= RANGE.endTime).length,
          );
          const sums = Object.values(tally.sums);
          const months = Object.values(tally.months);
          for (const parts of [sums, months])
            expect(parts.reduce((total, { objects }) => total + objects, 0)).toBe(all.length);
          expect(sums.reduce((total, { amount }) => total + amount, 0)).toBe(sum((m) => m.amount));
          expect(sums.reduce((total, { taxAmount }) => total + taxAmount, 0)).toBe(
            sum((m) => m.taxAmount),
          );
          expect(sums.reduce((total, { total: t }) => total + t, 0)).toBe(
            of === 'ORDERS' ? sum((m) => m.total) : 0,
          );
          expect(months.reduce((total, { amount }) => total + amount, 0)).toBe(
            of === 'ORDERS'
              ? sum((m) => m.total)
              : sum((m) => (m.result === 'SUCCESS' ? m.amount : 0)),
          );
          // Two words, whatever the far side wrote.
          for (const key of Object.keys(tally.sums))
            expect(key).toMatch(/^[\w.?-]{1,32} [\w.?-]{0,32}$/);
          for (const key of Object.keys(tally.months))
            expect(key).toMatch(/^2009-(10|11) [\w.?-]{1,32}$/);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('without some objects is that of the others', () => {
    fc.assert(
      fc.property(
        type,
        zone,
        fc.array(fc.tuple(members, fc.boolean()), { maxLength: 20 }),
        (of, where, all) => {
          const counter = new Counter(of, [RANGE], where);
          for (const [one] of all) counter.add(one);
          for (const [one, stays] of all) if (!stays) counter.remove(one);
          const left = all.filter(([, stays]) => stays).map(([one]) => one);
          const expected = counted(of, where, left);
          counter.setSpan(expected.first, expected.last);
          expect(counter.tally).toEqual(expected);
        },
      ),
      { numRuns: 1000 },
    );
  });

  test('has its months by the calendar of the zone', () => {
    const at = {
      ...emptyMembers(),
      id: 'A',
      currency: 'USD',
      total: 5,
      createdTime: Date.UTC(2009, 9, 31, 20),
    };
    expect(Object.keys(counted('ORDERS', new Zone('UTC'), [at]).months)).toEqual(['2009-10 USD']);
    expect(Object.keys(counted('ORDERS', new Zone('Asia/Tokyo'), [at]).months)).toEqual([
      '2009-11 USD',
    ]);
  });
});
