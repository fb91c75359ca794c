import { MAX_OBJECT_DEPTH } from '@tillroll/contract';
import { describeFault, endOfNested, shownBytes } from './describe-fault.ts';
import { BadLine } from './errors.ts';
import type { Line } from './lines.ts';
import { KIND, type Kind, type Shape } from './shape.ts';
import {
  isMinusZero,
  isPlainInteger,
  parseInteger,
  TIME_ALLOWED,
  timeFault,
} from './written-number.ts';

const TAB = 0x09;
const CR = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const PLUS = 0x2b;
const COMMA = 0x2c;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

const FIRST_KEY = 0;
const KEY = 1;
const FIRST_VALUE = 2;
const VALUE = 3;
const AFTER = 4;

const UNKNOWN = -1;
const WORDS: Readonly<Record<number, Buffer>> = {
  0x74: Buffer.from('true'),
  0x66: Buffer.from('false'),
  0x6e: Buffer.from('null'),
};
const NULL = 0x6e;
/** `"`, `\`, `/`, b, f, n, r, t. */
const SHORT_ESCAPES = new Set(Buffer.from('"\\/bfnrt'));

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= NINE;
}

function isHex(byte: number | undefined): boolean {
  if (byte === undefined) return false;
  return isDigit(byte) || (byte >= 0x41 && byte <= 0x46) || (byte >= 0x61 && byte <= 0x66);
}

/**
 * Checks a line in one pass over its bytes, without making an object of it: that it is one JSON object
 * (RFC 8259), not too deep, in which every known member stands once and is written as all readers
 * expect. Its memory does not depend on the line. `JSON.parse` forgets how numbers were written and
 * which members came twice, and needs a hundred times the size of a line of empty arrays.
 */
export class Scanner {
  readonly #root: Shape;
  /** Where the value of a member of the outermost object begins and ends; 0 and 0 when it has none. */
  readonly #starts: Int32Array;
  readonly #ends: Int32Array;
  readonly #isObject = new Uint8Array(MAX_OBJECT_DEPTH + 1);
  /** Of an object, its shape; of an array, that of its elements; null where nothing is known. */
  readonly #shapes: (Shape | null)[] = Array.from({ length: MAX_OBJECT_DEPTH + 1 }, () => null);
  readonly #seen = new Int32Array(MAX_OBJECT_DEPTH + 1);
  #line: Line = { number: 0, bytes: Buffer.alloc(0) };
  #hasEscape = false;
  /** Whether an escape stands for half of a surrogate pair, perhaps beside its other half. */
  #hasHalf = false;
  #hasPointOrExponent = false;

  constructor(root: Shape) {
    this.#root = root;
    this.#starts = new Int32Array(root.names.length);
    this.#ends = new Int32Array(root.names.length);
  }

  /** @throws BadLine naming the member, what was sent and what is allowed. */
  scan(line: Line): void {
    this.#line = line;
    this.#starts.fill(0);
    this.#ends.fill(0);
    const end = line.bytes.length;
    const start = this.#skipBlanks(0);
    if (start >= end || line.bytes[start] !== OPEN_OBJECT) this.#fail(start, 'an object');
    const after = this.#skipBlanks(this.#object(start));
    if (after < end) this.#fail(after, 'the end of the line');
  }

  /** The bytes of a member of the last line, as they were written; null when it is absent or null. */
  bytesOf(name: string): Buffer | null {
    const index = this.#root.names.indexOf(name);
    const start = this.#starts[index] ?? 0;
    const { bytes } = this.#line;
    if (start === 0 || bytes[start] === NULL) return null;
    return bytes.subarray(start, this.#ends[index]);
  }

  /** @returns the position behind the object that begins at `start`. */
  #object(start: number): number {
    const b = this.#line.bytes;
    const end = b.length;
    let depth = 1;
    this.#isObject[1] = 1;
    this.#shapes[1] = this.#root;
    this.#seen[1] = 0;
    let state = FIRST_KEY;
    let member = UNKNOWN;
    let p = start + 1;
    for (;;) {
      p = this.#skipBlanks(p);
      if (p >= end) this.#fail(p, 'more');
      const c = b[p] as number;

      if (state === AFTER) {
        const isObject = this.#isObject[depth] === 1;
        if (c === COMMA) state = isObject ? KEY : VALUE;
        else if (c !== (isObject ? CLOSE_OBJECT : CLOSE_ARRAY))
          this.#fail(p, isObject ? "',' or '}'" : "',' or ']'");
        else if (--depth === 0) return p + 1;
        p++;
        continue;
      }

      if (state === KEY || state === FIRST_KEY) {
        if (c === CLOSE_OBJECT && state === FIRST_KEY) {
          state = AFTER;
          continue;
        }
        if (c !== QUOTE) this.#fail(p, 'a name in quotes');
        const keyStart = p + 1;
        p = this.#endOfString(keyStart);
        const shape = this.#shapes[depth] as Shape | null;
        member = shape === null ? UNKNOWN : this.#find(shape, keyStart, p - 1);
        if (member !== UNKNOWN) this.#note(shape as Shape, depth, member);
        p = this.#skipBlanks(p);
        if (b[p] !== COLON) this.#fail(p, "':'");
        p++;
        state = VALUE;
        continue;
      }

      if (c === CLOSE_ARRAY && state === FIRST_VALUE) {
        state = AFTER;
        continue;
      }
      const valueStart = p;
      const isObject = this.#isObject[depth] === 1;
      const shape = this.#shapes[depth] as Shape | null;
      if (!isObject && shape !== null && c !== OPEN_OBJECT) this.#refuseElement(depth, valueStart);
      if (c === OPEN_OBJECT || c === OPEN_ARRAY) {
        if (depth === MAX_OBJECT_DEPTH) this.#refuseDepth();
        let inner = isObject ? null : shape;
        if (isObject && member !== UNKNOWN) inner = this.#enter(shape as Shape, member, p);
        depth++;
        this.#isObject[depth] = c === OPEN_OBJECT ? 1 : 0;
        // Only an object, or the array of a collection, has a shape inside.
        this.#shapes[depth] = inner;
        this.#seen[depth] = 0;
        if (depth === 2 && member !== UNKNOWN) this.#starts[member] = valueStart;
        state = c === OPEN_OBJECT ? FIRST_KEY : FIRST_VALUE;
        p++;
        continue;
      }
      this.#hasPointOrExponent = false;
      if (c === QUOTE) p = this.#endOfString(p + 1);
      else if (c === MINUS || isDigit(c)) p = this.#endOfNumber(p);
      else p = this.#endOfWord(p);
      if (isObject && member !== UNKNOWN) {
        this.#check(shape as Shape, member, valueStart, p);
        if (depth === 1) {
          this.#starts[member] = valueStart;
          this.#ends[member] = p;
        }
      }
      state = AFTER;
    }
  }

  #skipBlanks(from: number): number {
    const b = this.#line.bytes;
    let p = from;
    while (p < b.length && (b[p] === SPACE || b[p] === TAB || b[p] === CR)) p++;
    return p;
  }

  /** The index of the member whose name stands from `start` to `end`, or UNKNOWN. */
  #find(shape: Shape, start: number, end: number): number {
    const b = this.#line.bytes;
    if (this.#hasEscape)
      return shape.names.indexOf(JSON.parse(b.toString('utf8', start - 1, end + 1)) as string);
    const candidates = shape.byLength[end - start];
    if (candidates === undefined) return UNKNOWN;
    next: for (const index of candidates) {
      const key = shape.keys[index] as Buffer;
      for (let i = 0; i < key.length; i++) if (key[i] !== b[start + i]) continue next;
      return index;
    }
    return UNKNOWN;
  }

  #note(shape: Shape, depth: number, member: number): void {
    const bit = 1 << member;
    const seen = this.#seen[depth] as number;
    if ((seen & bit) !== 0) {
      this.#refuse(
        `${shape.paths[member]} stands twice in its object; readers differ in which of the two counts: send one`,
      );
    }
    this.#seen[depth] = seen | bit;
  }

  /** The shape inside of a known member that is an object or an array. */
  #enter(shape: Shape, member: number, at: number): Shape | null {
    const kind = shape.kinds[member] as Kind;
    const isObject = this.#line.bytes[at] === OPEN_OBJECT;
    if (kind === KIND.OBJECT && isObject) return shape.inner[member] ?? null;
    if (kind === KIND.LIST && !isObject) return shape.inner[member] ?? null;
    if (kind === KIND.TEXT || kind === KIND.FLAG || kind === KIND.RATIO) return null;
    this.#refuseValue(shape, member, at, endOfNested(this.#line.bytes, at));
  }

  /** Checks a value that is neither an object nor an array. */
  #check(shape: Shape, member: number, start: number, end: number): void {
    const b = this.#line.bytes;
    const first = b[start] as number;
    if (first === NULL) return;
    const isNumber = first === MINUS || isDigit(first);
    switch (shape.kinds[member] as Kind) {
      case KIND.FLAG:
      case KIND.RATIO:
        return;
      case KIND.ID:
      case KIND.TEXT:
        if (first === QUOTE) this.#checkText(shape, member, start, end);
        else if (shape.kinds[member] === KIND.ID) this.#refuseValue(shape, member, start, end);
        return;
      case KIND.INTEGER:
        if (!isNumber || this.#hasPointOrExponent || !isPlainInteger(b, start, end))
          this.#refuseValue(shape, member, start, end);
        return;
      case KIND.TIME: {
        const isTime = isNumber && !this.#hasPointOrExponent && !isMinusZero(b, start);
        if (!isTime) this.#refuseValue(shape, member, start, end);
        const fault = timeFault(parseInteger(b, start, end));
        if (fault !== null) this.#refuse(`${shape.paths[member]} must be ${fault}`);
        return;
      }
      case KIND.OBJECT:
      case KIND.LIST:
        this.#refuseValue(shape, member, start, end);
    }
  }

  #checkText(shape: Shape, member: number, start: number, end: number): void {
    if (!this.#hasHalf) return;
    const text = JSON.parse(this.#line.bytes.toString('utf8', start, end)) as string;
    if (text.isWellFormed()) return;
    this.#refuse(
      `${shape.paths[member]} must be text that UTF-8 can hold; got half of a surrogate pair, in ${this.#shown(start, end)}`,
    );
  }

  /** @returns the position behind the closing quote. @param from behind the opening one. */
  #endOfString(from: number): number {
    const b = this.#line.bytes;
    const end = b.length;
    let p = from;
    this.#hasEscape = false;
    this.#hasHalf = false;
    for (;;) {
      let c = 0;
      while (p < end && (c = b[p] as number) !== QUOTE && c !== BACKSLASH && c >= SPACE) p++;
      if (p >= end) this.#fail(p, 'the end of a string');
      if (c === QUOTE) return p + 1;
      if (c !== BACKSLASH) this.#fail(p, 'a character that may stand in a string (\\t for a tab)');
      this.#hasEscape = true;
      const escaped = b[p + 1];
      if (escaped === 0x75 /* u */) {
        for (let i = 2; i < 6; i++) if (!isHex(b[p + i])) this.#fail(p + i, 'a hexadecimal digit');
        // \ud800 to \udfff.
        if (((b[p + 2] as number) | 0x20) === 0x64 && (b[p + 3] as number) >= 0x38)
          this.#hasHalf = true;
        p += 6;
      } else {
        if (escaped === undefined || !SHORT_ESCAPES.has(escaped)) this.#fail(p + 1, 'an escape');
        p += 2;
      }
    }
  }

  /** @returns the position behind a number. */
  #endOfNumber(start: number): number {
    const b = this.#line.bytes;
    let p = start;
    if (b[p] === MINUS) p++;
    if (!isDigit(b[p])) this.#fail(p, 'a digit');
    if (b[p] === ZERO) p++;
    else while (isDigit(b[p])) p++;
    if (b[p] === POINT) {
      this.#hasPointOrExponent = true;
      p++;
      if (!isDigit(b[p])) this.#fail(p, 'a digit');
      while (isDigit(b[p])) p++;
    }
    if (b[p] === 0x65 || b[p] === 0x45 /* e, E */) {
      this.#hasPointOrExponent = true;
      p++;
      if (b[p] === PLUS || b[p] === MINUS) p++;
      if (!isDigit(b[p])) this.#fail(p, 'a digit');
      while (isDigit(b[p])) p++;
    }
    return p;
  }

  #endOfWord(start: number): number {
    const b = this.#line.bytes;
    const word = WORDS[b[start] as number];
    if (word === undefined) this.#fail(start, 'a value');
    for (let i = 1; i < word.length; i++)
      if (b[start + i] !== word[i]) this.#fail(start + i, word.toString());
    return start + word.length;
  }

  #shown(start: number, end: number): string {
    return shownBytes(this.#line.bytes, start, end);
  }

  #refuse(reason: string): never {
    throw new BadLine(this.#line.number, reason);
  }

  #fail(at: number, expected: string): never {
    this.#refuse(describeFault(this.#line.bytes, at, expected));
  }

  #refuseDepth(): never {
    this.#refuse(
      `the object is nested deeper than ${MAX_OBJECT_DEPTH} levels, the most that every reader takes`,
    );
  }

  #refuseElement(depth: number, at: number): never {
    // The array belongs to `elements`, the only known member of its object.
    const path = this.#shapes[depth - 1]?.paths[0] ?? 'elements';
    const open = this.#line.bytes.lastIndexOf(OPEN_ARRAY, at - 1);
    const got = this.#shown(open, endOfNested(this.#line.bytes, open));
    this.#refuse(`${path} must be an array of objects; got ${got}`);
  }

  #refuseValue(shape: Shape, member: number, start: number, end: number): never {
    const allowed = {
      [KIND.ID]: 'a string',
      [KIND.INTEGER]:
        'a whole number written in digits alone, such as 1250, from -9007199254740991 to 9007199254740991',
      [KIND.TIME]: TIME_ALLOWED,
      [KIND.OBJECT]: 'an object',
      [KIND.LIST]: 'an array of objects',
      [KIND.TEXT]: 'a string',
      [KIND.FLAG]: 'true or false',
      [KIND.RATIO]: 'a number',
    }[shape.kinds[member] as Kind];
    this.#refuse(`${shape.paths[member]} must be ${allowed}; got ${this.#shown(start, end)}`);
  }
}
