/** Scans a JSON object as bytes and records where the members of a table stand. */
import { isAmount, parseWholeNumber } from '@tillroll/contract';
import {
  CLOSE_ARRAY,
  CLOSE_OBJECT,
  COMMA,
  LOWER_F,
  LOWER_N,
  LOWER_T,
  MINUS,
  OPEN_ARRAY,
  OPEN_OBJECT,
  POINT,
  QUOTE,
  ZERO,
} from './bytes.ts';
import {
  MAX_LEVEL,
  type CompiledTable,
  type Field,
  type Shape,
  type ValueType,
} from './object-table.ts';
import { INCOMPLETE, isDigit, JsonFault, Validator } from './validator.ts';

/** Entries of the tape: four numbers each, the operation and up to three more. */
export const TAPE = {
  /** column, start, end of the JSON text; where the last value is of another type, `end` is `start`. */
  VALUE: 0,
  /** list: a row below the present one begins. */
  OPEN: 1,
  /** position of the row's closing brace. */
  CLOSE: 2,
  /** shape, start of a member's name, end of its value: no column holds the member. */
  OTHER: 3,
} as const;

/** Returned in place of a position: the value is not of the field's type. */
const MISMATCH = -2;

/** Years 0000 to 9999, which ISO 8601 and every reader of Parquet agree about. */
const FIRST_TIME_MS = -62_167_219_200_000n;
const LAST_TIME_MS = 253_402_300_799_999n;
const LAST_BIGINT = 9_223_372_036_854_775_807n;
/** Numbers of so many characters are in all these bounds. */
const SAFE_LENGTH = 14;

/**
 * Reads one JSON object as bytes, checks it whole (RFC 8259), and records where the members of a table
 * stand. `JSON.parse` of everything would cost three times as much as the download itself, and would
 * round numbers. An object without surprises costs no memory.
 */
export class Scanner extends Validator {
  /** The values of the last object, in its order. */
  tape = new Int32Array(1024);
  /** Used numbers of `tape`: four for each entry. */
  length = 0;
  /** True when a member was recorded that no column holds. */
  hasUnmapped = false;
  /** True when a whole number that a column holds is not written as plain digits: `1250.0`, `1.25e3`, `-0`. */
  hasUnusualNumbers = false;
  /** True when a name was written with escapes, in an object of which members are known. */
  hasEscapedNames = false;
  readonly #table: CompiledTable;
  /** By level, where the id of the present row starts and ends; both 0 until it was seen. */
  readonly #ids = new Int32Array(2 * (MAX_LEVEL + 1));

  constructor(table: CompiledTable) {
    super();
    this.#table = table;
  }

  /**
   * Scans the object that begins at `start`. Bytes at `end` and behind it are not looked at.
   * @returns the position behind the object, or `INCOMPLETE`.
   * @throws JsonFault
   */
  scan(b: Uint8Array, start: number, end: number): number {
    this.length = 0;
    this.hasBreaks = false;
    this.hasSurrogates = false;
    this.hasEscapedNames = false;
    this.hasUnmapped = false;
    this.hasUnusualNumbers = false;
    this.#ids.fill(0);
    if (b[start] !== OPEN_OBJECT) throw new JsonFault(start, 'an object');
    return this.#object(b, start, end, this.#table.root, 1);
  }

  /** @param depth how many brackets are open inside the object. */
  #object(b: Uint8Array, p: number, end: number, shape: Shape, depth: number): number {
    const { recordsUnmapped } = this.#table;
    p = this.blanks(b, p + 1, end);
    if (p === INCOMPLETE) return p;
    if (b[p] === CLOSE_OBJECT) return p + 1;
    let seen = 0;
    let before = 0;
    for (;;) {
      const name = p;
      // Objects of one kind tend to name their members in one order.
      let index = shape.next[before] as number;
      const key = shape.keys[index] as Uint8Array;
      const { length } = key;
      let same = 0;
      if (p + length < end) while (same < length && b[p + same] === key[same]) same++;
      if (same === length) p += length;
      else {
        if (b[p] !== QUOTE) throw new JsonFault(p, 'a name in quotes');
        this.escapes = 0;
        p = this.string(b, p, end);
        if (p === INCOMPLETE) return p;
        index = this.#find(b, name, p, shape);
        p = this.colon(b, p, end);
        if (p === INCOMPLETE) return p;
      }
      p = this.blanks(b, p, end);
      if (p === INCOMPLETE) return p;
      if (index === -1) {
        p = this.value(b, p, end, depth);
        if (p === INCOMPLETE) return p;
        if (recordsUnmapped) this.#pushUnmapped(shape, name, p);
      } else {
        shape.next[before] = index;
        before = index + 1;
        const field = shape.fields[index] as Field;
        const value = p;
        const recorded = this.length;
        const isAgain = recordsUnmapped && (seen & (1 << index)) !== 0;
        p = isAgain ? MISMATCH : this.#field(b, p, end, field, shape, depth);
        if (p === MISMATCH) {
          this.length = recorded;
          p = this.value(b, value, end, depth);
          if (recordsUnmapped) this.#pushUnmapped(shape, name, p);
          else if (field.kind === 'value') this.#push(TAPE.VALUE, field.column, value, value);
        } else seen |= 1 << index;
        if (p === INCOMPLETE) return p;
      }
      p = this.blanks(b, p, end);
      if (p === INCOMPLETE) return p;
      if (b[p] === CLOSE_OBJECT) return p + 1;
      if (b[p] !== COMMA) throw new JsonFault(p, "',' or '}'");
      p = this.blanks(b, p + 1, end);
      if (p === INCOMPLETE) return p;
    }
  }

  /** @returns the index of the name that stands, with its quotes, from `start` to `end`; or -1. */
  #find(b: Uint8Array, start: number, end: number, shape: Shape): number {
    if (this.escapes !== 0) {
      this.hasEscapedNames = true;
      return shape.names.indexOf(parseText(b, start, end));
    }
    const length = end - start - 1;
    const candidates = shape.byLength[length - 1];
    if (candidates === undefined) return -1;
    next: for (const index of candidates) {
      const key = shape.keys[index] as Uint8Array;
      for (let i = 1; i < length; i++) if (b[start + i] !== key[i]) continue next;
      return index;
    }
    return -1;
  }

  /** Passes a value and records it. @returns MISMATCH when it is not of the field's type. */
  #field(b: Uint8Array, p: number, end: number, field: Field, shape: Shape, depth: number): number {
    if (b[p] === LOWER_N && this.#table.recordsUnmapped) return this.literal(b, p, end);
    switch (field.kind) {
      case 'value': {
        const after = this.#typed(b, p, end, field.type);
        if (after < 0) return after;
        if (field.column === 0) {
          this.#ids[2 * shape.level] = p;
          this.#ids[2 * shape.level + 1] = after;
        }
        this.#push(TAPE.VALUE, field.column, p, after);
        return after;
      }
      case 'parent':
        return this.#sameAsId(b, p, end, field.level);
      case 'object':
        return b[p] === OPEN_OBJECT ? this.#object(b, p, end, field.shape, depth + 1) : MISMATCH;
      case 'rows':
        return b[p] === OPEN_ARRAY
          ? this.#rows(b, p, end, field.list, field.shape, depth + 2)
          : MISMATCH;
    }
  }

  /** Passes the very text that was the id of the row of a level. */
  #sameAsId(b: Uint8Array, p: number, end: number, level: number): number {
    const id = this.#ids[2 * level] as number;
    const length = (this.#ids[2 * level + 1] as number) - id;
    if (length === 0 || p + length > end) return MISMATCH;
    for (let i = 0; i < length; i++) if (b[id + i] !== b[p + i]) return MISMATCH;
    return p + length;
  }

  #rows(b: Uint8Array, p: number, end: number, list: number, shape: Shape, depth: number): number {
    p = this.blanks(b, p + 1, end);
    if (p === INCOMPLETE) return p;
    if (b[p] === CLOSE_ARRAY) return p + 1;
    for (;;) {
      if (b[p] !== OPEN_OBJECT) return MISMATCH;
      this.#push(TAPE.OPEN, list, 0, 0);
      this.#ids.fill(0, 2 * shape.level);
      p = this.#object(b, p, end, shape, depth);
      if (p === INCOMPLETE) return p;
      this.#push(TAPE.CLOSE, p - 1, 0, 0);
      p = this.blanks(b, p, end);
      if (p === INCOMPLETE) return p;
      if (b[p] === CLOSE_ARRAY) return p + 1;
      if (b[p] !== COMMA) throw new JsonFault(p, "',' or ']'");
      p = this.blanks(b, p + 1, end);
      if (p === INCOMPLETE) return p;
    }
  }

  #typed(b: Uint8Array, p: number, end: number, type: ValueType): number {
    const c = b[p] as number;
    switch (type) {
      case 'VARCHAR':
        return c === QUOTE ? this.#wellFormed(b, p, end) : MISMATCH;
      case 'STRING':
        return c === QUOTE ? this.string(b, p, end) : MISMATCH;
      case 'BIGINT':
        return this.#integer(b, p, end, -LAST_BIGINT, LAST_BIGINT);
      case 'TIMESTAMPTZ':
        return this.#integer(b, p, end, FIRST_TIME_MS, LAST_TIME_MS);
      case 'NUMBER':
        return c === MINUS || isDigit(c) ? this.number(b, p, end) : MISMATCH;
      case 'BOOLEAN':
        return c === LOWER_T || c === LOWER_F ? this.literal(b, p, end) : MISMATCH;
    }
  }

  /** Passes a whole number, however it is written. */
  #integer(b: Uint8Array, p: number, end: number, min: bigint, max: bigint): number {
    const after = digits(b, p, end, min, max);
    if (after !== MISMATCH || !(b[p] === MINUS || isDigit(b[p]))) return after;
    const last = this.number(b, p, end);
    if (last === INCOMPLETE) return last;
    const value = parseWholeNumber(latin1(b, p, last));
    if (!isAmount(value) || value < min || value > max) return MISMATCH;
    this.hasUnusualNumbers = true;
    return last;
  }

  #wellFormed(b: Uint8Array, p: number, end: number): number {
    this.escapes = 0;
    const after = this.string(b, p, end);
    // Flag 2: an escape from \ud000 to \udfff.
    if ((this.escapes & 2) === 0 || after === INCOMPLETE) return after;
    return parseText(b, p, after).isWellFormed() ? after : MISMATCH;
  }

  #pushUnmapped(shape: Shape, start: number, end: number): void {
    this.hasUnmapped = true;
    this.#push(TAPE.OTHER, shape.index, start, end);
  }

  #push(operation: number, a: number, start: number, end: number): void {
    if (this.length + 4 > this.tape.length) {
      const longer = new Int32Array(this.tape.length * 2);
      longer.set(this.tape);
      this.tape = longer;
    }
    const { tape, length } = this;
    tape[length] = operation;
    tape[length + 1] = a;
    tape[length + 2] = start;
    tape[length + 3] = end;
    this.length = length + 4;
  }
}

/** Passes digits; MISMATCH for a fraction, an exponent, -0, or what is out of bounds. */
function digits(b: Uint8Array, start: number, end: number, min: bigint, max: bigint): number {
  let p = start;
  if (b[p] === MINUS) p++;
  const first = p;
  while (p < end && isDigit(b[p])) p++;
  if (p >= end) return INCOMPLETE;
  const c = b[p] as number;
  if (p === first || (b[first] === ZERO && p - start > 1)) return MISMATCH;
  if (c === POINT || (c | 0x20) === 0x65) return MISMATCH;
  if (p - start <= SAFE_LENGTH) return p;
  const number = BigInt(latin1(b, start, p));
  return number >= min && number <= max ? p : MISMATCH;
}

function latin1(b: Uint8Array, start: number, end: number): string {
  return Buffer.from(b.buffer, b.byteOffset + start, end - start).toString('latin1');
}

/** The value of a string in quotes. */
function parseText(b: Uint8Array, start: number, end: number): string {
  return JSON.parse(Buffer.from(b.buffer, b.byteOffset + start, end - start).toString()) as string;
}
