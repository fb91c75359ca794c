import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { printable } from '../src/index.ts';

describe('a printable text', () => {
  test.each([
    ['plain: é 日本 🎂', 'plain: é 日本 🎂'],
    ['400 Bad\u001b[2J\r\nRequest', '400 Bad [2J Request'],
    ['a\u0000\u0007b\u007fc\u0085d\u009b31m', 'a b c d 31m'],
    ['a\u2028b\u2029c\td', 'a b c d'],
    ['file\u202egpj.exe', 'file\\u{202e}gpj.exe'],
    ['\u061c\u200e\u200f\u2066\u2069', '\\u{61c}\\u{200e}\\u{200f}\\u{2066}\\u{2069}'],
    ['', ''],
  ])('of %j', (text, expected) => {
    expect(printable(text)).toBe(expected);
  });

  test('never holds a control, whatever comes, and stays as it is', () => {
    const unit = fc.integer({ min: 0, max: 0x20ff }).map((code) => String.fromCodePoint(code));
    fc.assert(
      fc.property(fc.string({ unit }), (text) => {
        const safe = printable(text);
        expect(safe).not.toMatch(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/u);
        expect(printable(safe)).toBe(safe);
      }),
    );
  });
});
