import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  addAmounts,
  isAmount,
  parseExact,
  parseWholeNumber,
  stringifyExact,
  subtractAmounts,
  type Amount,
} from '../src/amounts.ts';

const amount = fc
  .oneof(fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }), fc.bigInt({ min: -100n, max: 100n }))
  .map((value): Amount => (Number.isSafeInteger(Number(value)) ? Number(value) : value));

test('sums and differences are exact, and each value has one form', () => {
  fc.assert(
    fc.property(amount, amount, (a, b) => {
      const sum = addAmounts(a, b);
      expect(BigInt(sum)).toBe(BigInt(a) + BigInt(b));
      expect(typeof sum === 'number').toBe(Number.isSafeInteger(Number(sum)));
      expect(subtractAmounts(sum, b)).toBe(a);
    }),
  );
  expect(subtractAmounts(0, 0)).toBe(0);
});

test('JSON keeps every digit', () => {
  fc.assert(
    fc.property(fc.array(amount), (amounts) => {
      const text = stringifyExact({ amounts, other: [1.5, 'x', null] });
      expect(text).toContain(`[${amounts.join(',')}]`);
      expect(parseExact(text)).toEqual({ amounts, other: [1.5, 'x', null] });
    }),
  );
});

test('an amount is a whole number of 64 bits, however it is written', () => {
  expect(parseWholeNumber('9007199254740993')).toBe(9007199254740993n);
  expect(parseWholeNumber('-9223372036854775807')).toBe(-9223372036854775807n);
  for (const [text, value] of [
    ['0', 0],
    ['-0', 0],
    ['0.0e5', 0],
    ['1250.0', 1250],
    ['1.25e3', 1250],
    ['1.25E+3', 1250],
    ['-125000e-2', -1250],
    ['1e17', 100_000_000_000_000_000n],
    ['9007199254740993.000', 9007199254740993n],
    [`1${'0'.repeat(500)}e-500`, 1],
    [`0.${'0'.repeat(500)}1e501`, 1],
  ] as const)
    expect(parseWholeNumber(text), text).toBe(value);
  for (const text of [
    '9223372036854775808',
    '-9223372036854775808',
    '1e20',
    '1.5',
    '9'.repeat(400),
    '',
    '1e-1',
    '1.255e2',
    `1.${'0'.repeat(30)}1`,
    '1e999999999',
    '1e-999999999',
    'x',
    '1 ',
    '"1"',
  ])
    expect(parseWholeNumber(text), text).toBeNaN();
  fc.assert(
    fc.property(amount, fc.nat(30), (value, shift) => {
      const digits = String(value).replace('-', '');
      const text = `${value < 0 ? '-' : ''}${digits}${'0'.repeat(shift)}e-${shift}`;
      const expected = parseWholeNumber(String(value));
      expect(parseWholeNumber(text)).toEqual(expected);
    }),
  );
  expect([null, Number.NaN, 0, -1, 1n].map(isAmount)).toEqual([false, false, true, true, true]);
});
