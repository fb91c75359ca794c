import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hoursInWords, parseHours, REGION_HOURS } from '../src/index.ts';

const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

describe('reading', () => {
  test.each(['', ' ', ';', ' ; ;'])('no hours at all: %j', (text) => {
    expect(() => parseHours(text)).toThrow(
      new RangeError('no hours given; say "always" or "never"'),
    );
  });

  test.each([
    ['mon', '"mon" does not read like'],
    ['01:00-05:00', '"01:00-05:00" does not read like'],
    ['mon 01:00', '"mon 01:00" does not read like'],
    ['mon 01:00-05:00 UTC', '"mon 01:00-05:00 utc" does not read like'],
    ['mon - fri 01:00-05:00', '"mon - fri 01:00-05:00" does not read like'],
    ['always; mon 01:00-05:00', '"always" does not read like'],
    ['monday 01:00-05:00', 'no day is called "monday"'],
    ['mon,tue 01:00-05:00', 'no day is called "mon,tue"'],
    ['mon- 01:00-05:00', 'no day is called ""'],
    ['mon-daily 01:00-05:00', 'no day is called "daily"'],
    ['mon-wed-fri 01:00-05:00', '"mon-wed-fri" is not a range of days'],
    ['mon 1:00-05:00', '"1:00" is not a time of day'],
    ['mon 0100-05:00', '"0100" is not a time of day'],
    ['mon 01:00-05:60', '"05:60" is not a time of day'],
    ['mon 01:00-25:00', '"25:00" is not a time of day'],
    ['mon 01:00-24:01', '"24:01" is not a time of day'],
    ['mon 01:00:00-05:00', '"01:00:00" is not a time of day'],
    ['mon 24:00-02:00', '"mon 24:00-02:00" opens at 24:00; say 00:00 of the next day'],
    ['mon 24:00-24:00', '"mon 24:00-24:00" opens at 24:00'],
    [
      'mon 05:00-05:00',
      '"mon 05:00-05:00" opens and closes at the same time; say "mon 00:00-24:00"',
    ],
    ['mon 00:00-00:00', 'opens and closes at the same time'],
    ['mon 01:00-05:00; tue', '"tue" does not read like'],
  ])('%s is refused', (text, message) => {
    const read = () => parseHours(text);
    expect(read).toThrow(RangeError);
    expect(read).toThrow(message);
  });

  test('case, spaces and empty entries do not matter', () => {
    const plain = parseHours('mon-fri 01:00-05:00; sat 22:00-02:00');
    expect(parseHours('  MON-Fri   01:00 - 05:00 ;; Sat 22:00-02:00; ')).toEqual(plain);
    expect(parseHours(' Always ')).toEqual(parseHours('always'));
    expect(parseHours('NEVER')).toEqual(parseHours('never'));
  });

  test('no other text does anything but throw a RangeError', () => {
    const pieces = fc.constantFrom(
      ...DAYS,
      'daily',
      'always',
      '-',
      ' ',
      ';',
      ':',
      '24:00',
      '09:30',
      '7',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(pieces).map((all) => all.join('')),
        ),
        (text) => {
          try {
            expect(Array.isArray(parseHours(text).spans)).toBe(true);
          } catch (error) {
            expect(error).toBeInstanceOf(RangeError);
          }
        },
      ),
    );
  });

  test.each([
    ['always', 'always'],
    ['never', 'never'],
    [REGION_HOURS.eu, 'Mon-Fri 01:00-05:00, Sat 02:00-05:00, Sun 02:00-06:00 UTC'],
    ['daily 10:00-15:00', 'every day 10:00-15:00 UTC'],
  ])('%s in words', (text, words) => {
    expect(hoursInWords(parseHours(text))).toBe(words);
  });
});
