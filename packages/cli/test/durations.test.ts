import { describe, expect, test } from 'vitest';
import { durationInWords, parseDuration } from '../src/durations.ts';
import { UsageError } from '../src/exit.ts';

describe('parseDuration', () => {
  test.each([
    ['90s', 90_000],
    ['15m', 900_000],
    ['12h', 43_200_000],
    ['7d', 604_800_000],
    [' 7d ', 604_800_000],
  ])('reads %s', (text, ms) => {
    expect(parseDuration('--overlap', text, '30d')).toBe(ms);
  });

  test.each(['', '0s', '7', '-1d', '1.5h', '7 d', '1w', '31d', '9999999999s', '1h30m', 'NaN'])(
    'refuses %j and says what is allowed',
    (text) => {
      const read = () => parseDuration('--overlap', text, '30d');
      expect(read).toThrow(UsageError);
      expect(read).toThrow(`at most 30d; got ${JSON.stringify(text)}`);
    },
  );
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
