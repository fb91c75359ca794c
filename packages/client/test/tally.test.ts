import {
  EXPORT_TYPES,
  isAmount,
  parseExact,
  stringifyExact,
  type Amount,
} from '@tillroll/contract';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addTally, Counter, emptyTally, type Tally } from '../src/assemble/tally.ts';
import { emptyMembers, type Members } from '../src/json/members.ts';
import { Zone } from '../src/time/zone.ts';
import { ordered } from './output-directory.ts';

const RANGE = { startTime: Date.UTC(2009, 9, 20), endTime: Date.UTC(2009, 10, 19) };
const money = fc.oneof(
  fc.integer({ min: -100_000, max: 10_000_000 }),
  fc.constantFrom(null, Number.NaN, Number.MAX_SAFE_INTEGER, 2n ** 62n),
);
const currency = fc.constantFrom(
  null,
  '',
  'USD',
  'USD ',
  'usd',
  '\u20ac',
  '\u00a3',
  '?',
  '_',
  '__proto__',
  'constructor',
  'x'.repeat(99),
  `${'x'.repeat(98)}y`,
);
const members: fc.Arbitrary<Members> = fc.record({
  id: fc.constantFrom('A', 'B'),
  createdTime: fc.oneof(
    fc.integer({ min: RANGE.startTime - 5, max: RANGE.endTime + 5 }),
    fc.constantFrom(RANGE.startTime, RANGE.endTime - 1, RANGE.endTime, RANGE.endTime + 1),
    // The hour in which Newfoundland had October and November twice.
    fc.integer({ min: Date.UTC(2009, 10, 1, 2), max: Date.UTC(2009, 10, 1, 4) }),
  ),
  modifiedTime: fc.constant(0),
  currency,
  result: fc.constantFrom(null, '', 'SUCCESS', 'FAIL', 'so so', '__proto__'),
  total: money,
  amount: money,
  tipAmount: money,
  taxAmount: money,
  refunds: fc.integer({ min: 1, max: 3 }),
  refundAmount: fc.oneof(fc.integer({ min: 0, max: 100_000 }), fc.constant(2n ** 60n)),
  refundsWithoutAmount: fc.constantFrom(0, 1),
  hasBreaks: fc.boolean(),
});
const type = fc.constantFrom(...EXPORT_TYPES);
const zone = fc.constantFrom(new Zone('UTC'), new Zone('America/St_Johns'), new Zone('Asia/Tokyo'));

function counted(of: (typeof EXPORT_TYPES)[number], where: Zone, all: readonly Members[]): Tally {
  const counter = new Counter(of, [RANGE], where);
  for (const one of all) counter.add(one);
  return ordered(counter.tally);
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
            addTally(sum, parseExact(stringifyExact(counted(of, where, part))) as Tally);
          expect(ordered(sum)).toEqual(counted(of, where, all));
        },
      ),
      { numRuns: 1000 },
    );
  });

  test('adds up to what was counted, exactly', () => {
    fc.assert(
      fc.property(
        type,
        zone,
        fc.array(members, { minLength: 1, maxLength: 20 }),
        (of, where, all) => {
          const tally = counted(of, where, all);
          const times = all.map(({ createdTime }) => createdTime);
          const sum = (amounts: readonly (Amount | null)[]): bigint =>
            amounts.reduce<bigint>(
              (total, each) => total + (isAmount(each) ? BigInt(each) : 0n),
              0n,
            );
          const mainAmount = (m: Members): Amount | null => (of === 'ORDERS' ? m.total : m.amount);
          expect(tally.objects).toBe(all.length);
          expect(tally.first).toBe(Math.min(...times));
          expect(tally.last).toBe(Math.max(...times));
          expect(tally.outside).toBe(
            times.filter((time) => time < RANGE.startTime || time >= RANGE.endTime).length,
          );
          const { sums, months } = tally;
          expect(sum(sums.map(({ objects }) => objects))).toBe(BigInt(all.length));
          expect(sum(sums.map(({ amount }) => amount))).toBe(sum(all.map(mainAmount)));
          expect(sum(sums.map(({ taxAmount }) => taxAmount))).toBe(
            sum(all.map((m) => m.taxAmount)),
          );
          expect(sum(sums.map(({ refundAmount }) => refundAmount))).toBe(
            sum(all.map((m) => m.refundAmount)),
          );
          expect(sums.reduce((count, { uncounted }) => count + uncounted, 0)).toBe(
            all.reduce(
              (count, m) =>
                count +
                m.refundsWithoutAmount +
                (isAmount(mainAmount(m)) &&
                ![m.tipAmount, m.taxAmount].some((each) => Number.isNaN(each))
                  ? 0
                  : 1),
              0,
            ),
          );
          // A month counts what it sums.
          const inMonths = all.filter((m) => of === 'ORDERS' || m.result === 'SUCCESS');
          expect(months.reduce((count, { objects }) => count + objects, 0)).toBe(inMonths.length);
          expect(sum(months.map(({ amount }) => amount))).toBe(sum(inMonths.map(mainAmount)));
          for (const { month } of months) expect(month).toMatch(/^2009-(10|11)$/);
          // Different currencies are never added up.
          const kinds = new Set(all.map((m) => `${m.currency}|${of === 'ORDERS' ? '' : m.result}`));
          expect(sums).toHaveLength(kinds.size);
          for (const each of sums) expect((each.currency ?? '').length).toBeLessThanOrEqual(64);
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
          expect(ordered(counter.tally)).toEqual(expected);
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
    const monthsIn = (where: Zone): string[] =>
      counted('ORDERS', where, [at]).months.map(({ month }) => month);
    expect(monthsIn(new Zone('UTC'))).toEqual(['2009-10']);
    expect(monthsIn(new Zone('Asia/Tokyo'))).toEqual(['2009-11']);
  });

  test('has a thousand kinds of currency at most', () => {
    const all = Array.from({ length: 1001 }, (_, i) => ({
      ...emptyMembers(),
      id: 'A',
      currency: String(i),
      createdTime: RANGE.startTime,
    }));
    expect(() => counted('ORDERS', new Zone('UTC'), all)).toThrow(/over 1000 kinds/);
  });
});
