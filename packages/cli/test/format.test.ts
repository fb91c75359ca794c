import { expect, test } from 'vitest';
import { byteSize, count, counted, durationInWords } from '../src/format.ts';
import { money } from '../src/summary/money.ts';

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.00 kB'],
  [999_999, '1.00 MB'],
  [12_345_678, '12.3 MB'],
  [812_000_000, '812 MB'],
  [1_240_000_000_000_000, '1240 TB'],
])('%d bytes are %s', (bytes, text) => {
  expect(byteSize(bytes)).toBe(text);
});

test('counts have separators and a plural', () => {
  expect(count(1_234_567)).toBe('1,234,567');
  expect(counted(1, 'file')).toBe('1 file');
  expect(counted(0, 'file')).toBe('0 files');
});

test.each([
  [1_234_567, 'USD', '12,345.67'],
  [-5, 'USD', '-0.05'],
  [0, 'EUR', '0.00'],
  [1_234_567, 'JPY', '1,234,567'],
  [1_234_567, 'KWD', '1,234.567'],
  // A division by 100 would give ...991.00.
  [9_007_199_254_740_991, 'USD', '90,071,992,547,409.91'],
  // Not a currency's code: what is unknown is not divided by a guess.
  [1234, '', '1,234 minor units'],
  [1234, 'US dollars', '1,234 minor units'],
  [1234, 'XAU', '1,234 (no minor unit)'],
  [-123_456, 'HUF', '-1,234.56'],
  [123_456, 'CLF', '12.3456'],
])('%d of %s is %s', (minor, currency, text) => {
  expect(money(minor, currency)).toBe(text);
});

test.each([
  [0, '1 s'],
  [45_400, '45 s'],
  [119_000, '2 min'],
  [59.6 * 60_000, '1 h'],
  [11_520_000, '3 h 12 min'],
  [7_200_000, '2 h'],
  [24 * 3_600_000, '1 d'],
  [100 * 3_600_000, '4 d 4 h'],
])('durationInWords(%d) is %s', (ms, words) => {
  expect(durationInWords(ms)).toBe(words);
});
