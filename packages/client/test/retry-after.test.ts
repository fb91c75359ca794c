import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseRetryAfter } from '../src/http/retry-after.ts';

const NOW = Date.parse('2026-01-31T12:00:00Z');

function asked(retryAfter: string | undefined, date?: string): number | undefined {
  const headers = { 'retry-after': retryAfter, date };
  return parseRetryAfter(headers, NOW);
}

describe('Retry-After', () => {
  test.each([
    ['0', 0],
    ['5', 5_000],
    ['0120', 120_000],
    [' 7 ', 7_000],
    ['99999999999', 99_999_999_999_000],
    ['Sat, 31 Jan 2026 12:00:30 GMT', 30_000],
    ['Sat, 31 Jan 2026 12:00:00 GMT', 0],
    ['Saturday, 31-Jan-26 12:00:30 GMT', 30_000],
  ])('%j is %d ms', (value, ms) => {
    expect(asked(value)).toBe(ms);
  });

  test.each([
    undefined,
    '',
    '-5',
    '+5',
    '1.5',
    '1e3',
    '0x10',
    '5s',
    '5, 6',
    'soon',
    'NaN',
    'Infinity',
    'null',
    'Sat, 31 Jan 2026 11:59:59 GMT',
    'Thu, 01 Jan 1970 00:00:00 GMT',
    'Sat, 31 Foo 2026 12:00:00 GMT',
    '2026-01-31T12:00:30Z',
    '\u00e4',
  ])('%j counts as not given', (value) => {
    expect(asked(value)).toBeUndefined();
  });

  test('as a date is read by the clock of the sender', () => {
    // Theirs is an hour ahead of ours, or behind.
    expect(asked('Sat, 31 Jan 2026 13:00:10 GMT', 'Sat, 31 Jan 2026 13:00:00 GMT')).toBe(10_000);
    expect(asked('Sat, 31 Jan 2026 11:00:10 GMT', 'Sat, 31 Jan 2026 11:00:00 GMT')).toBe(10_000);
    expect(asked('Sat, 31 Jan 2026 12:00:10 GMT', 'rubbish')).toBe(10_000);
  });

  test('is never negative and never NaN, whatever it says', () => {
    const value = fc.oneof(
      fc.string({ unit: fc.constantFrom(...Array.from('0123456789-+.eE:, GMTJanSat')) }),
      fc.date({ noInvalidDate: true }).map((date) => date.toUTCString()),
      fc.integer().map(String),
    );
    fc.assert(
      fc.property(value, fc.option(value, { nil: undefined }), (retryAfter, date) => {
        const ms = asked(retryAfter, date);
        if (ms !== undefined) expect(ms).toBeGreaterThanOrEqual(0);
      }),
      { numRuns: 2000 },
    );
  });
});
