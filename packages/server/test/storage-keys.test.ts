import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { attemptPrefix, exportPrefix, fileKey } from '../src/storage/keys.ts';
import { ONE } from './storage-contract.ts';

describe('keys', () => {
  test('spell export, attempt and position', () => {
    expect(exportPrefix(ONE)).toBe(`${ONE}/`);
    expect(attemptPrefix(ONE, 2)).toBe(`${ONE}/2/`);
    expect(fileKey(ONE, 2, 0)).toBe(`${ONE}/2/000000.json.gz`);
    expect(fileKey(ONE, 2, 1234)).toBe(`${ONE}/2/001234.json.gz`);
  });

  test('sort like their positions', () => {
    fc.assert(
      fc.property(fc.nat(999_999), fc.nat(999_999), (a, b) => {
        expect(fileKey(ONE, 1, a) < fileKey(ONE, 1, b)).toBe(a < b);
      }),
    );
  });

  test('no prefix holds another attempt', () => {
    fc.assert(
      fc.property(fc.nat(1000), fc.nat(1000), fc.nat(1000), (a, b, position) => {
        expect(fileKey(ONE, a, position).startsWith(attemptPrefix(ONE, b))).toBe(a === b);
      }),
    );
  });

  test.each([
    '',
    '.',
    '..',
    '../',
    '../../etc/pass',
    '/',
    ONE.toLowerCase(),
    ONE.slice(1),
    `${ONE}0`,
    `${ONE}/`,
    `${ONE}\n`,
    `${ONE}\0`,
    `${ONE.slice(0, 12)}/`,
    `${ONE.slice(0, 12)}I`,
    `${ONE.slice(0, 12)}é`,
    '%2e%2e%2f%2e%2e%2f',
  ])('refuse the id %j', (id) => {
    expect(() => exportPrefix(id)).toThrow(RangeError);
    expect(() => attemptPrefix(id, 1)).toThrow(RangeError);
    expect(() => fileKey(id, 1, 0)).toThrow(RangeError);
  });

  test.each([-1, 1.5, Number.NaN, Infinity, 2 ** 53])('refuse the number %d', (number) => {
    expect(() => attemptPrefix(ONE, number)).toThrow(RangeError);
    expect(() => fileKey(ONE, number, 0)).toThrow(RangeError);
    expect(() => fileKey(ONE, 1, number)).toThrow(RangeError);
  });
});
