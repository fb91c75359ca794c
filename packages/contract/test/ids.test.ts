import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  CROCKFORD_ALPHABET,
  EXPORT_ID,
  EXPORT_ID_LENGTH,
  exportIdFrom,
  MERCHANT_ID,
} from '../src/index.ts';

const ASCII = Array.from({ length: 128 }, (_, code) => String.fromCharCode(code));

describe('export ids', () => {
  test('are 13 characters of the alphabet, which the pattern accepts', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: EXPORT_ID_LENGTH, maxLength: 32 }), (bytes) => {
        const id = exportIdFrom(bytes);
        expect(id).toHaveLength(13);
        expect(id).toMatch(EXPORT_ID);
        expect(exportIdFrom(bytes.slice(0, EXPORT_ID_LENGTH))).toBe(id);
      }),
    );
  });

  test('use each character for 8 of the 256 bytes, at every place', () => {
    for (let place = 0; place < EXPORT_ID_LENGTH; place++) {
      const counts = new Map<string, number>();
      for (let byte = 0; byte < 256; byte++) {
        const bytes = new Uint8Array(EXPORT_ID_LENGTH);
        bytes[place] = byte;
        const character = exportIdFrom(bytes).charAt(place);
        counts.set(character, (counts.get(character) ?? 0) + 1);
      }
      expect([...counts.keys()].toSorted().join('')).toBe(CROCKFORD_ALPHABET);
      expect(new Set(counts.values())).toEqual(new Set([8]));
    }
  });

  test('need 13 bytes', () => {
    for (let length = 0; length < EXPORT_ID_LENGTH; length++) {
      expect(() => exportIdFrom(new Uint8Array(length))).toThrow(RangeError);
    }
  });

  test('hold the 32 characters of Crockford and no others', () => {
    expect(CROCKFORD_ALPHABET).toMatch(/^[0-9A-Z]{32}$/);
    expect(CROCKFORD_ALPHABET).not.toMatch(/[ILOU]/);
    const accepted = ASCII.filter((character) => EXPORT_ID.test(character.repeat(13)));
    expect(accepted.join('')).toBe(CROCKFORD_ALPHABET);
  });

  test.each([
    '',
    '0'.repeat(12),
    '0'.repeat(14),
    `${'0'.repeat(13)}\n`,
    ` ${'0'.repeat(13)}`,
    'é'.repeat(13),
  ])('%j is none', (text) => {
    expect(text).not.toMatch(EXPORT_ID);
  });
});

describe('merchant ids', () => {
  test('are of letters, digits, _ and -', () => {
    const accepted = ASCII.filter((character) => MERCHANT_ID.test(character)).join('');
    expect(accepted).toBe('-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz');
  });

  test('are of 1 to 64 characters', () => {
    expect('m'.repeat(64)).toMatch(MERCHANT_ID);
    for (const text of ['', 'm'.repeat(65), 'm\n', '\nm', '..', 'a/b', 'a%2Fb', 'ä']) {
      expect(text).not.toMatch(MERCHANT_ID);
    }
  });
});
