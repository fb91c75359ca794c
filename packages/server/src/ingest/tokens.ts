/** Reads the tokens of JSON from bytes: strings, numbers, words. */
import { describeFault, shownBytes } from './describe-fault.ts';
import { BadLine } from './errors.ts';
import type { Line } from './lines.ts';

const TAB = 0x09;
const CR = 0x0d;
const SPACE = 0x20;
const PLUS = 0x2b;
const POINT = 0x2e;
const NINE = 0x39;
const BACKSLASH = 0x5c;

export const QUOTE = 0x22;
export const MINUS = 0x2d;
const ZERO = 0x30;

const WORDS: Readonly<Record<number, Buffer>> = {
  0x74: Buffer.from('true'),
  0x66: Buffer.from('false'),
  0x6e: Buffer.from('null'),
};
/** `"`, `\`, `/`, b, f, n, r, t. */
const SHORT_ESCAPES = new Set(Buffer.from('"\\/bfnrt'));

export function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= NINE;
}

function isHex(byte: number | undefined): boolean {
  if (byte === undefined) return false;
  return isDigit(byte) || (byte >= 0x41 && byte <= 0x46) || (byte >= 0x61 && byte <= 0x66);
}

/**
 * Passes the tokens of a line, as RFC 8259 has them. Each method takes a position and returns the one behind the token.
 * @throws BadLine with the position and what is allowed there.
 */
export class Tokens {
  protected line: Line = { number: 0, bytes: Buffer.alloc(0) };
  /** True when the last string has an escape. */
  protected hasEscape = false;
  /** True when an escape of it stands for half of a surrogate pair, perhaps beside its other half. */
  protected hasHalf = false;
  /** True when the last number has a point or an exponent. */
  protected hasPointOrExponent = false;

  protected skipBlanks(from: number): number {
    const b = this.line.bytes;
    let p = from;
    while (p < b.length && (b[p] === SPACE || b[p] === TAB || b[p] === CR)) p++;
    return p;
  }

  /** @returns the position behind the closing quote. @param from behind the opening one. */
  protected endOfString(from: number): number {
    const b = this.line.bytes;
    const end = b.length;
    let p = from;
    this.hasEscape = false;
    this.hasHalf = false;
    for (;;) {
      let c = 0;
      while (p < end && (c = b[p] as number) !== QUOTE && c !== BACKSLASH && c >= SPACE) p++;
      if (p >= end) this.fail(p, 'the end of a string');
      if (c === QUOTE) return p + 1;
      if (c !== BACKSLASH) this.fail(p, 'a character that may stand in a string (\\t for a tab)');
      this.hasEscape = true;
      const escaped = b[p + 1];
      if (escaped === 0x75 /* u */) {
        for (let i = 2; i < 6; i++) if (!isHex(b[p + i])) this.fail(p + i, 'a hexadecimal digit');
        // \ud800 to \udfff.
        if (((b[p + 2] as number) | 0x20) === 0x64 && (b[p + 3] as number) >= 0x38)
          this.hasHalf = true;
        p += 6;
      } else {
        if (escaped === undefined || !SHORT_ESCAPES.has(escaped)) this.fail(p + 1, 'an escape');
        p += 2;
      }
    }
  }

  /** @returns the position behind a number. */
  protected endOfNumber(start: number): number {
    const b = this.line.bytes;
    let p = start;
    if (b[p] === MINUS) p++;
    if (!isDigit(b[p])) this.fail(p, 'a digit');
    if (b[p] === ZERO) p++;
    else while (isDigit(b[p])) p++;
    if (b[p] === POINT) {
      this.hasPointOrExponent = true;
      p++;
      if (!isDigit(b[p])) this.fail(p, 'a digit');
      while (isDigit(b[p])) p++;
    }
    if (b[p] === 0x65 || b[p] === 0x45 /* e, E */) {
      this.hasPointOrExponent = true;
      p++;
      if (b[p] === PLUS || b[p] === MINUS) p++;
      if (!isDigit(b[p])) this.fail(p, 'a digit');
      while (isDigit(b[p])) p++;
    }
    return p;
  }

  protected endOfWord(start: number): number {
    const b = this.line.bytes;
    const word = WORDS[b[start] as number];
    if (word === undefined) this.fail(start, 'a value');
    for (let i = 1; i < word.length; i++)
      if (b[start + i] !== word[i]) this.fail(start + i, word.toString());
    return start + word.length;
  }

  protected shown(start: number, end: number): string {
    return shownBytes(this.line.bytes, start, end);
  }

  protected refuse(reason: string): never {
    throw new BadLine(this.line.number, reason);
  }

  protected fail(at: number, expected: string): never {
    this.refuse(describeFault(this.line.bytes, at, expected));
  }
}
