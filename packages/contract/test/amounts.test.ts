import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  addAmounts,
  isAmount,
  parseExact,
  parseLargeAmount,
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

test('an amount is a whole number of 64 bits', () => {
  expect(parseLargeAmount('9007199254740993')).toBe(9007199254740993n);
  expect(parseLargeAmount('-9223372036854775807')).toBe(-9223372036854775807n);
  for (const text of ['9223372036854775808', '1e20', '1.5', '9'.repeat(400), ''])
    expect(parseLargeAmount(text)).toBeNaN();
  expect([null, Number.NaN, 0, -1, 1n].map(isAmount)).toEqual([false, false, true, true, true]);
});
