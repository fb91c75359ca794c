import { clear, NUMBER_MEMBERS, TEXT_MEMBERS, type Members } from './members.ts';

/**
 * One JSON object (RFC 8259), checked whole in one pass over its bytes, with the members that Tillroll
 * reads of it. `JSON.parse` of everything would cost three times as much as the download itself.
 */

/** Nothing that a till writes is nested deeper; what is gets refused, not followed. */
const MAX_DEPTH = 512;

const TAB = 9;
const LF = 10;
const CR = 13;
const SPACE = 32;
const QUOTE = 34;
const PLUS = 43;
const COMMA = 44;
const MINUS = 45;
const POINT = 46;
const ZERO = 48;
const NINE = 57;
const COLON = 58;
const OPEN_ARRAY = 91;
const BACKSLASH = 92;
const CLOSE_ARRAY = 93;
const OPEN_OBJECT = 123;
const CLOSE_OBJECT = 125;

/** The bytes are no JSON; `at` is the position of the first that does not fit. */
export class JsonFault extends Error {
  override name = 'JsonFault';
  readonly at: number;
  constructor(at: number, expected: string) {
    super(`no JSON: ${expected} expected`);
    this.at = at;
  }
}

/** The object goes on beyond the bytes that are there. */
export const INCOMPLETE = -1;

const IN_OBJECT = 1;
const IN_ARRAY = 2;

const FIRST_KEY = 0;
const KEY = 1;
const FIRST_VALUE = 2;
const VALUE = 3;
const AFTER = 4;

const KEYS = [...TEXT_MEMBERS, ...NUMBER_MEMBERS];
const KEY_BYTES = KEYS.map((key) => Buffer.from(key));
const LONGEST_KEY = Math.max(...KEYS.map((key) => key.length));
/** By length: the members of which a key may be the name. */
const BY_LENGTH: readonly (readonly number[])[] = Array.from(
  { length: LONGEST_KEY + 1 },
  (_, length) => KEYS.flatMap((key, i) => (key.length === length ? [i] : [])),
);
const NO_MEMBER = -1;

const stack = new Uint8Array(MAX_DEPTH + 1);
/** Whether a string held an escape, since this was last set back: most hold none, and need no decoding. */
let hasEscape = false;

/** The member whose name stands in quotes from `start` to `end`, as its number in `KEYS`. */
function memberAt(b: Buffer, start: number, end: number): number {
  if (hasEscape) return KEYS.indexOf(textAt(b, start, end) as (typeof KEYS)[number]);
  const length = end - start;
  if (length > LONGEST_KEY) return NO_MEMBER;
  next: for (const candidate of BY_LENGTH[length] ?? []) {
    const name = KEY_BYTES[candidate];
    if (name === undefined) continue;
    for (let i = 0; i < length; i++) if (b[start + i] !== name[i]) continue next;
    return candidate;
  }
  return NO_MEMBER;
}

/** @returns the position behind the closing quote. @param p behind the opening one. */
function endOfString(b: Buffer, p: number, end: number): number {
  for (;;) {
    let c = 0;
    while (p < end && (c = b[p] as number) !== QUOTE && c !== BACKSLASH && c >= SPACE) p++;
    if (p >= end) return INCOMPLETE;
    if (c === QUOTE) return p + 1;
    if (c !== BACKSLASH) throw new JsonFault(p, 'a character that may stand in a string');
    hasEscape = true;
    if (p + 1 >= end) return INCOMPLETE;
    const escaped = b[p + 1] as number;
    if (escaped === 117 /* u */) {
      if (p + 6 > end) return INCOMPLETE;
      for (let i = 2; i < 6; i++)
        if (!isHex(b[p + i] as number)) throw new JsonFault(p + i, 'a hexadecimal digit');
      p += 6;
    } else {
      // " \ / b f n r t
      if (!'"\\/bfnrt'.includes(String.fromCharCode(escaped)))
        throw new JsonFault(p + 1, 'an escape');
      p += 2;
    }
  }
}

function isHex(c: number): boolean {
  return (c >= ZERO && c <= NINE) || (c >= 65 && c <= 70) || (c >= 97 && c <= 102);
}

function isDigit(c: number | undefined): boolean {
  return c !== undefined && c >= ZERO && c <= NINE;
}

/** @returns the position behind a number. Inside an object something always follows. */
function endOfNumber(b: Buffer, start: number, end: number): number {
  let p = start;
  if (b[p] === MINUS) p++;
  if (b[p] === ZERO) p++;
  else {
    if (p < end && !isDigit(b[p])) throw new JsonFault(p, 'a value');
    while (p < end && isDigit(b[p])) p++;
  }
  if (p < end && b[p] === POINT) {
    p++;
    if (p < end && !isDigit(b[p])) throw new JsonFault(p, 'a digit');
    while (p < end && isDigit(b[p])) p++;
  }
  if (p < end && ((b[p] as number) | 32) === 101 /* e */) {
    p++;
    if (p < end && (b[p] === PLUS || b[p] === MINUS)) p++;
    if (p < end && !isDigit(b[p])) throw new JsonFault(p, 'a digit');
    while (p < end && isDigit(b[p])) p++;
  }
  return p < end ? p : INCOMPLETE;
}

const LITERALS: Readonly<Record<number, Buffer>> = {
  116: Buffer.from('true'),
  102: Buffer.from('false'),
  110: Buffer.from('null'),
};

function endOfLiteral(b: Buffer, p: number, end: number): number {
  const literal = LITERALS[b[p] as number];
  if (!literal) throw new JsonFault(p, 'a value');
  for (let i = 1; i < literal.length; i++, p++) {
    if (p + 1 >= end) return INCOMPLETE;
    if (b[p + 1] !== literal[i]) throw new JsonFault(p + 1, literal.toString());
  }
  return p + 1;
}

function integerAt(b: Buffer, start: number, end: number): number {
  if (end - start > 15) {
    const value = Number(b.toString('latin1', start, end));
    return Number.isSafeInteger(value) ? value : Number.NaN;
  }
  let value = 0;
  const isNegative = b[start] === MINUS;
  for (let i = isNegative ? start + 1 : start; i < end; i++) {
    const digit = (b[i] as number) - ZERO;
    // A fraction or an exponent: `1250.0` is a whole number, too.
    if (digit < 0 || digit > 9) {
      const parsed = Number(b.toString('latin1', start, end));
      return Number.isSafeInteger(parsed) ? parsed : Number.NaN;
    }
    value = value * 10 + digit;
  }
  return isNegative ? -value : value;
}

/** A string's value. @param start behind its opening quote. @param end at its closing one. */
function textAt(b: Buffer, start: number, end: number): string {
  if (hasEscape) return JSON.parse(b.toString('utf8', start - 1, end + 1)) as string;
  return b.toString('utf8', start, end);
}

function setText(m: Members, member: number, value: string): void {
  if (member === 0) m.id = value;
  else if (member === 1) m.currency = value;
  else if (member === 2) m.result = value;
}

function setNumber(m: Members, member: number, value: number): void {
  if (member === 3) m.createdTime = value;
  else if (member === 4) m.modifiedTime = value;
  else if (member === 5) m.total = value;
  else if (member === 6) m.amount = value;
  else if (member === 7) m.tipAmount = value;
  else if (member === 8) m.taxAmount = value;
}

/** Where a member stands twice, the last one counts; also when that one is of another type. */
function unset(m: Members, member: number): void {
  setText(m, member, '');
  setNumber(m, member, Number.NaN);
}

/**
 * Reads the object that begins at `start`, and fills `m`.
 * @returns the position behind it, or `INCOMPLETE`.
 * @throws JsonFault
 */
export function scanObject(b: Buffer, start: number, end: number, m: Members): number {
  clear(m);
  if (b[start] !== OPEN_OBJECT) throw new JsonFault(start, 'an object');
  stack[1] = IN_OBJECT;
  let depth = 1;
  let state = FIRST_KEY;
  let member = NO_MEMBER;
  let p = start + 1;
  for (;;) {
    let c = 0;
    while (p < end && (c = b[p] as number) <= SPACE) {
      if (c === LF || c === CR) m.hasBreaks = true;
      else if (c !== SPACE && c !== TAB) throw new JsonFault(p, 'a token');
      p++;
    }
    if (p >= end) return INCOMPLETE;

    if (state === AFTER) {
      const isObject = stack[depth] === IN_OBJECT;
      if (c === COMMA) {
        state = isObject ? KEY : VALUE;
        p++;
      } else if (c === (isObject ? CLOSE_OBJECT : CLOSE_ARRAY)) {
        p++;
        if (--depth === 0) return p;
      } else throw new JsonFault(p, isObject ? "',' or '}'" : "',' or ']'");
      continue;
    }

    if (state === KEY || state === FIRST_KEY) {
      if (c === CLOSE_OBJECT && state === FIRST_KEY) {
        state = AFTER;
        continue;
      }
      if (c !== QUOTE) throw new JsonFault(p, 'a name in quotes');
      const keyStart = p + 1;
      hasEscape = false;
      p = endOfString(b, keyStart, end);
      if (p === INCOMPLETE) return INCOMPLETE;
      member = depth === 1 ? memberAt(b, keyStart, p - 1) : NO_MEMBER;
      if (member !== NO_MEMBER) unset(m, member);
      while (p < end && (c = b[p] as number) !== COLON) {
        if (c === LF || c === CR) m.hasBreaks = true;
        else if (c !== SPACE && c !== TAB) throw new JsonFault(p, "':'");
        p++;
      }
      if (p >= end) return INCOMPLETE;
      p++;
      state = VALUE;
      continue;
    }

    if (c === QUOTE) {
      const valueStart = p + 1;
      hasEscape = false;
      p = endOfString(b, valueStart, end);
      if (p === INCOMPLETE) return INCOMPLETE;
      if (depth === 1 && member >= 0 && member < TEXT_MEMBERS.length)
        setText(m, member, textAt(b, valueStart, p - 1));
      state = AFTER;
    } else if (c === OPEN_OBJECT || c === OPEN_ARRAY) {
      if (depth === MAX_DEPTH) throw new JsonFault(p, `nesting of at most ${MAX_DEPTH}`);
      stack[++depth] = c === OPEN_OBJECT ? IN_OBJECT : IN_ARRAY;
      state = c === OPEN_OBJECT ? FIRST_KEY : FIRST_VALUE;
      p++;
    } else if (c === CLOSE_ARRAY && state === FIRST_VALUE) {
      state = AFTER;
    } else if (c === MINUS || isDigit(c)) {
      const valueStart = p;
      p = endOfNumber(b, p, end);
      if (p === INCOMPLETE) return INCOMPLETE;
      if (depth === 1 && member >= TEXT_MEMBERS.length)
        setNumber(m, member, integerAt(b, valueStart, p));
      state = AFTER;
    } else {
      p = endOfLiteral(b, p, end);
      if (p === INCOMPLETE) return INCOMPLETE;
      state = AFTER;
    }
  }
}
