import type { ColumnType } from './tables.ts';
import type { Field, Layout, Shape } from './shape.ts';

/** Entries of the tape: each is four numbers, the operation and up to three more. */
export const TAPE = {
  /** column, start, end of the JSON text. */
  VALUE: 0,
  /** list: a row below the present one begins. */
  OPEN: 1,
  /** place of its closing brace. */
  CLOSE: 2,
  /** shape, start of the member's name, end of its value: no column holds it. */
  OTHER: 3,
} as const;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const MINUS = 0x2d;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;

/** Years 0000 to 9999, which ISO 8601 and every reader of Parquet agree about. */
const FIRST_TIME_MS = -62_167_219_200_000;
const LAST_TIME_MS = 253_402_300_799_999;
const LAST_BIGINT = 9_223_372_036_854_775_807n;

/**
 * Walks over one JSON object as bytes, without making an object of it: what is known goes to the
 * tape as places in the line, and so does what is not. Numbers and texts are not touched, so that
 * none is rounded, and a line without surprises costs no memory.
 */
export class Walker {
  tape = new Int32Array(4096);
  /** Entries of `tape`, times four. */
  length = 0;
  /** Whether the last object had members that no column holds, or names in escapes. */
  irregular = false;
  /** Whether DuckDB's reader, which skips what it was not told about, would stumble over them. */
  unreadable = false;
  /** Where the closing brace of the last object is. */
  close = 0;
  private bytes: Buffer = Buffer.alloc(0);
  private at = 0;
  private end = 0;
  private rootId = 0;
  private rootIdEnd = 0;
  private readonly layout: Layout;

  constructor(layout: Layout) {
    this.layout = layout;
  }

  /** @throws SyntaxError when it is not one JSON object. */
  walk(bytes: Buffer, start: number, end: number): void {
    this.bytes = bytes;
    this.at = start;
    this.end = end;
    this.length = 0;
    this.irregular = false;
    this.unreadable = false;
    this.rootId = 0;
    this.rootIdEnd = 0;
    this.space();
    this.object(this.layout.root);
    this.close = this.at - 1;
    this.space();
    if (this.at < end) this.fail();
  }

  private fail(): never {
    throw new SyntaxError(`no JSON object: unexpected byte ${this.at}`);
  }

  private push(operation: number, a: number, b: number, c: number): void {
    if (this.length + 4 > this.tape.length) {
      const longer = new Int32Array(this.tape.length * 2);
      longer.set(this.tape);
      this.tape = longer;
    }
    this.tape[this.length++] = operation;
    this.tape[this.length++] = a;
    this.tape[this.length++] = b;
    this.tape[this.length++] = c;
  }

  private space(): void {
    // A line holds no line feed, so this ends there at the latest.
    let byte = this.bytes[this.at] as number;
    while (byte === 0x20 || byte === 0x0d || byte === 0x09) {
      byte = this.bytes[++this.at] as number;
    }
  }

  private object(shape: Shape): void {
    const { bytes } = this;
    if (this.at >= this.end || bytes[this.at] !== OPEN_OBJECT) this.fail();
    this.at++;
    this.space();
    if (bytes[this.at] === CLOSE_OBJECT) {
      this.at++;
      return;
    }
    let seen = 0;
    let before = 0;
    for (;;) {
      const start = this.at;
      // Objects of one kind tend to name their members in one order.
      const index = this.key(shape, shape.next[before] as number);
      shape.next[before] = index;
      before = index + 1;
      this.space();
      if (bytes[this.at] !== COLON) this.fail();
      this.at++;
      this.space();
      const field = shape.fields[index];
      const value = this.at;
      const length = this.length;
      // A name that comes again has no column left to go to.
      if (field === undefined || (seen & (1 << index)) !== 0 || !this.field(field, shape)) {
        this.at = value;
        this.length = length;
        this.skip();
        this.irregular = true;
        this.push(TAPE.OTHER, shape.index, start, this.at);
        if (index !== -1 || this.isNearly(shape, start)) this.unreadable = true;
      } else seen |= 1 << index;
      this.space();
      const next = bytes[this.at];
      if (this.at >= this.end) this.fail();
      this.at++;
      if (next === CLOSE_OBJECT) return;
      if (next !== COMMA) this.fail();
      this.space();
    }
  }

  /** Passes a name and returns its index in the shape, or -1. */
  private key(shape: Shape, guess: number): number {
    const { bytes } = this;
    const start = this.at + 1;
    if (bytes[this.at] !== QUOTE) this.fail();
    const guessed = shape.keys[guess];
    let at = start;
    if (guessed !== undefined) {
      const { length } = guessed;
      let same = 0;
      while (same < length && guessed[same] === bytes[start + same]) same++;
      if (same === length && bytes[start + length] === QUOTE) {
        this.at = start + length + 1;
        return guess;
      }
    }
    let hash = 0;
    let byte = bytes[at] as number;
    while (byte !== QUOTE && byte !== BACKSLASH && at < this.end) {
      hash = (Math.imul(hash, 31) + byte) | 0;
      byte = bytes[++at] as number;
    }
    if (byte === BACKSLASH) {
      this.text();
      return this.escapedKey(shape, start - 1);
    }
    if (at >= this.end) this.fail();
    this.at = at + 1;
    const length = at - start;
    for (let slot = hash & 127; ; slot = (slot + 1) & 127) {
      const index = shape.slots[slot] as number;
      if (index === -1) return -1;
      const key = shape.keys[index] as Buffer;
      if (key.length !== length) continue;
      let same = 0;
      while (same < length && key[same] === bytes[start + same]) same++;
      if (same === length) return index;
    }
  }

  /** Whether an unknown name is a known one but for upper and lower case. */
  private isNearly(shape: Shape, start: number): boolean {
    const end = this.bytes.indexOf(QUOTE, start + 1);
    return shape.taken.has(this.bytes.toString('latin1', start + 1, end).toLowerCase());
  }

  /** A name in escapes is the same name; its line is written anew for readers that compare bytes. */
  private escapedKey(shape: Shape, start: number): number {
    this.irregular = true;
    this.unreadable = true;
    return shape.names.indexOf(JSON.parse(this.bytes.toString('utf8', start, this.at)) as string);
  }

  /** Passes a value; false when it is not what the field is documented to be. */
  private field(field: Field, shape: Shape): boolean {
    const { bytes } = this;
    const start = this.at;
    if (bytes[start] === 0x6e) {
      this.word('null');
      return true;
    }
    switch (field.kind) {
      case 'value':
        if (!this.value(field.type)) return false;
        if (shape === this.layout.root && field.column === 0) {
          this.rootId = start;
          this.rootIdEnd = this.at;
        }
        this.push(TAPE.VALUE, field.column, start, this.at);
        return true;
      case 'parent':
        return this.sameAsRoot();
      case 'object':
        if (bytes[start] !== OPEN_OBJECT) return false;
        this.object(field.shape);
        return true;
      case 'rows':
        return this.rows(field.list, field.shape);
    }
  }

  /** Passes the very text that was the id of the line's object; it ends with its quote. */
  private sameAsRoot(): boolean {
    const { bytes, rootId } = this;
    const length = this.rootIdEnd - rootId;
    for (let i = 0; i < length; i++) if (bytes[rootId + i] !== bytes[this.at + i]) return false;
    this.at += length;
    return length > 0;
  }

  private rows(list: number, shape: Shape): boolean {
    const { bytes } = this;
    if (bytes[this.at] !== OPEN_ARRAY) return false;
    this.at++;
    this.space();
    if (bytes[this.at] === CLOSE_ARRAY) {
      this.at++;
      return true;
    }
    for (;;) {
      if (bytes[this.at] !== OPEN_OBJECT) return false;
      this.push(TAPE.OPEN, list, 0, 0);
      this.object(shape);
      this.push(TAPE.CLOSE, this.at - 1, 0, 0);
      this.space();
      const next = bytes[this.at++];
      if (next === CLOSE_ARRAY) return true;
      if (next !== COMMA) this.fail();
      this.space();
    }
  }

  private value(type: ColumnType): boolean {
    const first = this.bytes[this.at];
    switch (type) {
      case 'VARCHAR':
        return first === QUOTE && this.text();
      case 'BOOLEAN':
        if (first !== 0x74 && first !== 0x66) return false;
        this.word(first === 0x74 ? 'true' : 'false');
        return true;
      case 'BIGINT':
        return this.integer(-LAST_BIGINT, LAST_BIGINT);
      case 'TIMESTAMP':
        return this.integer(FIRST_TIME_MS, LAST_TIME_MS);
    }
  }

  /** Passes digits; false for a fraction, an exponent, -0, or what is out of bounds. */
  private integer(least: number | bigint, most: number | bigint): boolean {
    const { bytes } = this;
    const start = this.at;
    let at = start;
    if (bytes[at] === MINUS) at++;
    const first = bytes[at] as number;
    let byte = first;
    while (byte >= 0x30 && byte <= 0x39) byte = bytes[++at] as number;
    if (at === start || (first === 0x30 && at - start > 1) || byte === 0x2e) return false;
    if (byte === 0x65 || byte === 0x45 || !(first >= 0x30 && first <= 0x39)) return false;
    this.at = at;
    if (at - start < 15) return true;
    const number = BigInt(bytes.toString('latin1', start, at));
    return number >= least && number <= most;
  }

  /** Passes a string; false when it holds half of a surrogate pair, which UTF-8 cannot. */
  private text(): boolean {
    const { bytes, end } = this;
    const start = this.at;
    let at = start + 1;
    let halves = false;
    for (;;) {
      const byte = bytes[at] as number;
      if (at >= end) this.fail();
      if (byte === QUOTE) break;
      if (byte === BACKSLASH) {
        // Only \ud800 to \udfff can be half of a pair.
        if (bytes[at + 1] === 0x75 && ((bytes[at + 2] as number) | 0x20) === 0x64) halves = true;
        at++;
      }
      at++;
    }
    this.at = at + 1;
    if (!halves) return true;
    return (JSON.parse(bytes.toString('utf8', start, this.at)) as string).isWellFormed();
  }

  private word(word: string): void {
    for (let i = 0; i < word.length; i++) {
      if (this.bytes[this.at++] !== word.charCodeAt(i)) this.fail();
    }
  }

  /** Passes any value, however deep. */
  private skip(): void {
    const { bytes, end } = this;
    let depth = 0;
    do {
      this.space();
      const byte = bytes[this.at];
      if (this.at >= end) this.fail();
      if (byte === QUOTE) this.unreadable = !this.text() || this.unreadable;
      else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
        depth++;
        this.at++;
      } else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
        depth--;
        this.at++;
      } else if ((byte === COMMA || byte === COLON) && depth > 0) this.at++;
      else this.bare();
    } while (depth > 0);
    if (depth < 0) this.fail();
  }

  /** Passes a number, true, false or null. */
  private bare(): void {
    const { bytes, end } = this;
    const start = this.at;
    for (; this.at < end; this.at++) {
      const byte = bytes[this.at] as number;
      if (byte === COMMA || byte === CLOSE_OBJECT || byte === CLOSE_ARRAY || byte <= 0x20) break;
    }
    if (this.at === start) this.fail();
  }
}
