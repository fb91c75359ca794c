import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { expect, test } from 'vitest';
import { minorUnitDigits } from '../src/currencies.ts';

/** List one as ISO publishes it; the package `currency-codes` carries the file. */
const LIST = createRequire(import.meta.url).resolve('currency-codes/iso-4217-list-one.xml');

test('a minor unit has the digits that ISO 4217 says', () => {
  const entries = readFileSync(LIST, 'utf8').matchAll(
    /<Ccy>(\w{3})<\/Ccy>\s*<CcyNbr>\d+<\/CcyNbr>\s*<CcyMnrUnts>([^<]+)<\/CcyMnrUnts>/g,
  );
  const digits = new Map([...entries].map(([, code = '', units = '']) => [code, units]));
  expect(digits.size).toBe(179);
  for (const [code, units] of digits)
    expect(minorUnitDigits(code), code).toBe(units === 'N.A.' ? null : Number(units));
});

test('codes that came later, and texts that are not codes', () => {
  expect(minorUnitDigits('XCG')).toBe(2);
  for (const text of ['', 'usd', 'USD ', 'ZZZ', '?', '__proto__'])
    expect(minorUnitDigits(text), text).toBeUndefined();
});
