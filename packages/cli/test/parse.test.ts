import { describe, expect, test } from 'vitest';
import { UsageError } from '../src/exit.ts';
import { parseDuration } from '../src/parse/durations.ts';
import { parseFileMode, parseNumber } from '../src/parse/numbers.ts';
import { parseTypes } from '../src/parse/types.ts';

describe('durations', () => {
  test.each([
    ['90s', 90_000],
    ['15m', 900_000],
    ['12h', 43_200_000],
    ['7d', 604_800_000],
    [' 7d ', 604_800_000],
  ])('%s', (text, ms) => {
    expect(parseDuration('--overlap', text, '30d')).toBe(ms);
  });

  test.each(['', '0s', '7', '-1d', '1.5h', '7 d', '1w', '31d', '9999999999s', '1h30m', 'NaN'])(
    '%j is refused with what is allowed',
    (text) => {
      const read = () => parseDuration('--overlap', text, '30d');
      expect(read).toThrow(UsageError);
      expect(read).toThrow(`at most 30d; got ${JSON.stringify(text)}`);
    },
  );
});

test('whole numbers', () => {
  expect(parseNumber('--parallel', '64')).toBe(64);
  expect(parseNumber('--offset', '0', 0)).toBe(0);
  for (const text of ['0', '-1', '1.5', '', ' 1', '1e3', '9999999999'])
    expect(() => parseNumber('--parallel', text)).toThrow(
      `--parallel must be a whole number from 1; got ${JSON.stringify(text)}`,
    );
});

test('permissions are octal', () => {
  expect(parseFileMode('--file-mode', '640')).toBe(0o640);
  expect(parseFileMode('--file-mode', '0600')).toBe(0o600);
  for (const text of ['', '64', '680', '0o640', '1640', '440', '777', 'rw-r-----'])
    expect(() => parseFileMode('--file-mode', text)).toThrow(
      `--file-mode must be permissions of three octal digits with which you can read and write the files, such as 600 or 640; got "${text}"`,
    );
});

test('types', () => {
  expect(parseTypes('orders, Payments,orders')).toEqual(['ORDERS', 'PAYMENTS']);
  expect(() => parseTypes('orders,refunds')).toThrow(
    'each of --types must be orders or payments; got "refunds"',
  );
});
