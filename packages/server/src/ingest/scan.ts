/** Checks a line of JSON in one pass, and finds its known members. */
import { MAX_OBJECT_DEPTH } from '@tillroll/contract';
import { endOfNested } from './describe-fault.ts';
import type { Line } from './lines.ts';
import { KIND, type Kind, type Shape } from './shape.ts';
import { isDigit, MINUS, QUOTE, Tokens } from './tokens.ts';
import {
  isMinusZero,
  isPlainInteger,
  parseInteger,
  TIME_ALLOWED,
  timeFault,
} from './written-number.ts';

const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
/** The `n` of `null`. */
const NULL = 0x6e;

const FIRST_KEY = 0;
const KEY = 1;
const FIRST_VALUE = 2;
const VALUE = 3;
const AFTER = 4;

const UNKNOWN = -1;
/**
 * Checks a line in one pass over its bytes, without making an object of it: that it is one JSON object
 * (RFC 8259), not too deep, in which every known member stands once and is written as all readers
 * expect. Its memory does not depend on the line. `JSON.parse` forgets how numbers were written and
 * which members came twice, and needs a hundred times the size of a line of empty arrays.
 */
export class Scanner extends Tokens {
  readonly #root: Shape;
  /** Positions of the values of the outermost object's members; 0 and 0 where there is none. */
  readonly #starts: Int32Array;
  readonly #ends: Int32Array;
  readonly #isObject = new Uint8Array(MAX_OBJECT_DEPTH + 1);
  /** The shape of each open object, or of an array's elements; null where nothing is known. */
  readonly #shapes: (Shape | null)[] = Array.from({ length: MAX_OBJECT_DEPTH + 1 }, () => null);
  readonly #seen = new Int32Array(MAX_OBJECT_DEPTH + 1);

  constructor(root: Shape) {
    super();
    this.#root = root;
    this.#starts = new Int32Array(root.names.length);
    this.#ends = new Int32Array(root.names.length);
  }

  /** @throws BadLine naming the member, what was sent and what is allowed. */
  scan(line: Line): void {
    this.line = line;
    this.#starts.fill(0);
    this.#ends.fill(0);
    const end = line.bytes.length;
    const start = this.skipBlanks(0);
    if (start >= end || line.bytes[start] !== OPEN_OBJECT) this.fail(start, 'an object');
    const after = this.skipBlanks(this.#object(start));
    if (after < end) this.fail(after, 'the end of the line');
  }

  /** The bytes of a member of the last line, as they were written; null when it is absent or null. */
  findBytes(name: string): Buffer | null {
    const index = this.#root.names.indexOf(name);
    const start = this.#starts[index] ?? 0;
    const { bytes } = this.line;
    if (start === 0 || bytes[start] === NULL) return null;
    return bytes.subarray(start, this.#ends[index]);
  }

  /** @returns the position behind the object that begins at `start`. */
  #object(start: number): number {
    const b = this.line.bytes;
    const end = b.length;
    let depth = 1;
    this.#isObject[1] = 1;
    this.#shapes[1] = this.#root;
    this.#seen[1] = 0;
    let state = FIRST_KEY;
    let member = UNKNOWN;
    let p = start + 1;
    for (;;) {
      p = this.skipBlanks(p);
      if (p >= end) this.fail(p, 'more');
      const c = b[p] as number;

      if (state === AFTER) {
        const isObject = this.#isObject[depth] === 1;
        if (c === COMMA) state = isObject ? KEY : VALUE;
        else if (c !== (isObject ? CLOSE_OBJECT : CLOSE_ARRAY))
          this.fail(p, isObject ? "',' or '}'" : "',' or ']'");
        else if (--depth === 0) return p + 1;
        p++;
        continue;
      }

      if (state === KEY || state === FIRST_KEY) {
        if (c === CLOSE_OBJECT && state === FIRST_KEY) {
          state = AFTER;
          continue;
        }
        if (c !== QUOTE) this.fail(p, 'a name in quotes');
        const keyStart = p + 1;
        p = this.endOfString(keyStart);
        const shape = this.#shapes[depth] as Shape | null;
        member = shape === null ? UNKNOWN : this.#find(shape, keyStart, p - 1);
        if (member !== UNKNOWN) this.#note(shape as Shape, depth, member);
        p = this.skipBlanks(p);
        if (b[p] !== COLON) this.fail(p, "':'");
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
      this.hasPointOrExponent = false;
      if (c === QUOTE) p = this.endOfString(p + 1);
      else if (c === MINUS || isDigit(c)) p = this.endOfNumber(p);
      else p = this.endOfWord(p);
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

  /** The index of the member whose name stands from `start` to `end`, or UNKNOWN. */
  #find(shape: Shape, start: number, end: number): number {
    const b = this.line.bytes;
    if (this.hasEscape)
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
      this.refuse(
        `${shape.paths[member]} stands twice in its object; readers differ in which of the two counts: send one`,
      );
    }
    this.#seen[depth] = seen | bit;
  }

  /** The shape inside of a known member that is an object or an array. */
  #enter(shape: Shape, member: number, at: number): Shape | null {
    const kind = shape.kinds[member] as Kind;
    const isObject = this.line.bytes[at] === OPEN_OBJECT;
    if (kind === KIND.OBJECT && isObject) return shape.inner[member] ?? null;
    if (kind === KIND.LIST && !isObject) return shape.inner[member] ?? null;
    if (kind === KIND.TEXT || kind === KIND.FLAG || kind === KIND.RATIO) return null;
    this.#refuseValue(shape, member, at, endOfNested(this.line.bytes, at));
  }

  /** Checks a value that is neither an object nor an array. */
  #check(shape: Shape, member: number, start: number, end: number): void {
    const b = this.line.bytes;
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
        if (!isNumber || this.hasPointOrExponent || !isPlainInteger(b, start, end))
          this.#refuseValue(shape, member, start, end);
        return;
      case KIND.TIME: {
        const isTime = isNumber && !this.hasPointOrExponent && !isMinusZero(b, start);
        if (!isTime) this.#refuseValue(shape, member, start, end);
        const fault = timeFault(parseInteger(b, start, end));
        if (fault !== null) this.refuse(`${shape.paths[member]} must be ${fault}`);
        return;
      }
      case KIND.OBJECT:
      case KIND.LIST:
        this.#refuseValue(shape, member, start, end);
    }
  }

  #checkText(shape: Shape, member: number, start: number, end: number): void {
    if (!this.hasHalf) return;
    const text = JSON.parse(this.line.bytes.toString('utf8', start, end)) as string;
    if (text.isWellFormed()) return;
    this.refuse(
      `${shape.paths[member]} must be text that UTF-8 can hold; got half of a surrogate pair, in ${this.shown(start, end)}`,
    );
  }

  #refuseDepth(): never {
    this.refuse(
      `the object is nested deeper than ${MAX_OBJECT_DEPTH} levels, the most that every reader takes`,
    );
  }

  #refuseElement(depth: number, at: number): never {
    // The array belongs to `elements`, the only known member of its object.
    const path = this.#shapes[depth - 1]?.paths[0] ?? 'elements';
    const open = this.line.bytes.lastIndexOf(OPEN_ARRAY, at - 1);
    const got = this.shown(open, endOfNested(this.line.bytes, open));
    this.refuse(`${path} must be an array of objects; got ${got}`);
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
    this.refuse(`${shape.paths[member]} must be ${allowed}; got ${this.shown(start, end)}`);
  }
}
