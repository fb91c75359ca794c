/** Cuts a stream of bytes into checked JSON objects. */
import { isUtf8 } from 'node:buffer';
import { MAX_TIME_MS, OBJECTS_PER_FILE } from '@tillroll/contract';
import { ExportError } from '../errors.ts';
import { emptyMembers, MEMBER_TABLE, readMembers, type Members } from './members.ts';
import { Scanner } from './scanner.ts';
import { INCOMPLETE, JsonFault } from './validator.ts';

/** The largest object that is accepted; Tillroll's own service exports none above 64 MiB. */
export const MAX_OBJECT_BYTES = 64 * 1024 * 1024;
/** The longest id that is accepted; a till's have 13 characters. */
const MAX_ID_LENGTH = 256;
/** A hundred times what a file holds by the contract: what is kept of each object must not grow forever. */
const MAX_FILE_OBJECTS = 100 * OBJECTS_PER_FILE;
/** Bytes of the next chunk that are searched for the end of an object that began in the last one. */
const JOIN_BYTES = 8 * 1024;
const LARGE_BYTES = 4 * 1024 * 1024;
/** Blanks between objects that are accepted as formatting. */
const MAX_BLANKS = 1024 * 1024;

const LF = 10;
const COMMA = 44;
const CLOSE_ARRAY = 93;
const CLOSE_OBJECT = 125;
/** A byte order mark may stand before JSON and means nothing (RFC 8259, 8.1). */
const OPENING = /^(?:\xef\xbb\xbf)?[ \t\r\n]*\{[ \t\r\n]*"elements"[ \t\r\n]*:[ \t\r\n]*\[/;

/** A whole object, as bytes of a buffer that nothing else writes to. `members` is reused for the next one. */
export type OnObject = (buffer: Buffer, start: number, end: number, members: Members) => void;

/**
 * `elements`: a raw file, `{"elements":[...]}` and nothing else. `lines`: one object a line, as
 * a pull writes them.
 */
export type Framing = 'elements' | 'lines';

const OPEN = 0;
const FIRST = 1;
const NEXT = 2;
const CLOSED = 3;

/**
 * Cuts a stream of bytes into its objects, and checks that it is what it should be: an envelope,
 * valid JSON, valid UTF-8, objects with an `id` and a `createdTime`. Memory is bounded by the largest
 * object, and that by `MAX_OBJECT_BYTES`.
 */
export class ObjectReader {
  readonly #onObject: OnObject;
  readonly #framing: Framing;
  readonly #scanner = new Scanner(MEMBER_TABLE);
  readonly #members = emptyMembers();
  #state: number;
  /** The beginning of an object: the first `#filled` bytes of a buffer. */
  #pending: Buffer = Buffer.alloc(0);
  #filled = 0;
  /** Bytes that must be there before another pass. The opening is read as soon as it may be complete. */
  #wanted = 1;
  /** Position of the pending bytes in the whole. */
  #offset = 0;
  #objects = 0;
  /** True when all of the present buffer is valid UTF-8. */
  #isText = false;
  #blanks = 0;

  constructor(framing: Framing, onObject: OnObject) {
    this.#framing = framing;
    this.#onObject = onObject;
    this.#state = framing === 'elements' ? OPEN : NEXT;
  }

  get objects(): number {
    return this.#objects;
  }

  /** The start of the current buffer, counted from the first byte of the file. */
  get base(): number {
    return this.#offset;
  }

  /** @param chunk is kept, and handed on: it must not be written to any more. @throws ExportError BAD_FILE */
  push(chunk: Uint8Array): void {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    if (this.#filled === 0) this.#finish(bytes);
    else if (!this.#readAcross(bytes)) {
      this.#append(bytes);
      if (this.#filled >= this.#wanted) this.#finish(this.#pending.subarray(0, this.#filled));
    }
  }

  /** Ends the stream. @throws ExportError BAD_FILE when something is missing. */
  end(): void {
    if (this.#filled > 0) this.#finish(this.#pending.subarray(0, this.#filled));
    const isWhole = this.#framing === 'lines' || this.#state === CLOSED;
    if (!isWhole || this.#filled > 0) throw this.#fault('it ends too early', this.#filled);
  }

  /**
   * The object that lies across two chunks is put together of its two ends; the rest of the second one
   * is read where it lies. Copying it all would cost a tenth of the whole.
   * @returns false when it was not done: the object is large, or continues beyond the chunk.
   */
  #readAcross(bytes: Buffer): boolean {
    const left = this.#pending.subarray(0, this.#filled);
    if (left.length > JOIN_BYTES || bytes.length < 2 * JOIN_BYTES) return false;
    const used = this.#readChecked(Buffer.concat([left, bytes.subarray(0, JOIN_BYTES)]));
    this.#offset += used;
    if (used < left.length) {
      this.#keep(left.subarray(used), left.length - used);
      return false;
    }
    this.#finish(bytes.subarray(used - left.length));
    return true;
  }

  #append(bytes: Buffer): void {
    const needed = this.#filled + bytes.length;
    if (needed > this.#pending.length) {
      // Room for all that comes before the next pass. Pages that are not written to cost nothing: a large
      // object is copied once, and not each time that it has doubled.
      const room = needed > LARGE_BYTES ? MAX_OBJECT_BYTES + JOIN_BYTES : this.#wanted;
      const larger = Buffer.allocUnsafeSlow(Math.max(needed, room + bytes.length));
      this.#pending.copy(larger, 0, 0, this.#filled);
      this.#pending = larger;
    }
    bytes.copy(this.#pending, this.#filled);
    this.#filled = needed;
  }

  /** Reads the objects of a buffer, and keeps the beginning of the next one. */
  #finish(buffer: Buffer): void {
    const used = this.#readChecked(buffer);
    if (buffer.length - used > MAX_OBJECT_BYTES)
      throw this.#fault(`an object is over ${MAX_OBJECT_BYTES / 1024 / 1024} MiB`, used);
    this.#offset += used;
    // Nothing was consumed: the space after it stays free.
    const isPending = used === 0 && buffer.length === this.#filled;
    this.#keep(isPending ? this.#pending : buffer.subarray(used), buffer.length - used);
  }

  /** @param left is not written to beyond its length. */
  #keep(left: Buffer, length: number): void {
    this.#pending = left;
    this.#filled = length;
    // Twice as much each time: an object of n bytes is looked at 2n bytes in all, not n squared.
    this.#wanted = Math.min(Math.max(1, length * 2), MAX_OBJECT_BYTES + JOIN_BYTES);
  }

  #readChecked(buffer: Buffer): number {
    try {
      return this.#read(buffer);
    } catch (error) {
      if (error instanceof JsonFault) throw this.#fault(error.message, error.at);
      throw error;
    }
  }

  /** Reads the objects of a buffer. @returns the number of bytes that are finished. */
  #read(b: Buffer): number {
    const end = b.length;
    // One check of the buffer is cheaper than one of each object; a character that is cut at the end fails it.
    this.#isText = isUtf8(b);
    let p = 0;
    if (this.#state === OPEN) {
      const opening = OPENING.exec(b.toString('latin1', 0, 4096))?.[0];
      if (opening === undefined) {
        if (end >= 4096 || !mayBecomeOpening(b.toString('latin1', 0, end)))
          throw this.#fault('it does not begin with {"elements":[', 0);
        return 0;
      }
      p = opening.length;
      this.#state = FIRST;
    }
    for (;;) {
      p = this.#skipBlanks(b, p);
      if (p >= end) return p;
      if (this.#state === CLOSED) throw new JsonFault(p, 'the end');
      const objectAt = this.#framing === 'elements' ? this.#separator(b, p) : p;
      if (objectAt === INCOMPLETE) return p;
      if (this.#state === CLOSED) {
        p = objectAt;
        continue;
      }
      const start = this.#skipBlanks(b, objectAt);
      // The separator is read again with the object that follows it.
      if (start >= end) return p;
      const after = this.#scanner.scan(b, start, end);
      if (after === INCOMPLETE) return p;
      if (this.#framing === 'lines' && (after >= end || b[after] !== LF)) {
        if (after >= end) return p;
        throw new JsonFault(after, 'the end of the line');
      }
      this.#emit(b, start, after);
      this.#state = NEXT;
      p = this.#framing === 'lines' ? after + 1 : after;
    }
  }

  /** @returns where the next object may begin, or, with the state CLOSED, the position behind the envelope. */
  #separator(b: Buffer, p: number): number {
    if (b[p] === CLOSE_ARRAY) {
      const close = this.#skipBlanks(b, p + 1);
      if (close >= b.length) return INCOMPLETE;
      if (b[close] !== CLOSE_OBJECT) throw new JsonFault(close, "'}'");
      this.#state = CLOSED;
      return close + 1;
    }
    if (this.#state === FIRST) return p;
    if (b[p] !== COMMA) throw new JsonFault(p, "',' or ']'");
    return p + 1;
  }

  #skipBlanks(b: Buffer, from: number): number {
    let p = from;
    while (p < b.length && (b[p] === 32 || b[p] === 10 || b[p] === 13 || b[p] === 9)) p++;
    this.#blanks = p === from ? this.#blanks : this.#blanks + p - from;
    if (this.#blanks > MAX_BLANKS) throw new JsonFault(p, 'something other than blanks');
    return p;
  }

  #emit(b: Buffer, start: number, end: number): void {
    const m = this.#members;
    readMembers(this.#scanner, b, m);
    this.#blanks = 0;
    if (m.id === '') throw this.#fault(`object ${this.#objects + 1} has no id`, start);
    // A lone surrogate has no bytes of its own: two such ids would be one.
    if (m.id.length > MAX_ID_LENGTH || !m.id.isWellFormed())
      throw this.#fault(
        `object ${this.#objects + 1} has an id of over ${MAX_ID_LENGTH} characters, or of broken ones`,
        start,
      );
    if (!(m.createdTime >= 0 && m.createdTime <= MAX_TIME_MS))
      throw this.#fault(`object ${m.id} has no createdTime in whole milliseconds`, start);
    if (Number.isNaN(m.modifiedTime)) m.modifiedTime = m.createdTime;
    if (!this.#isText && !isUtf8(b.subarray(start, end)))
      throw this.#fault(`object ${m.id} is not UTF-8`, start);
    if (++this.#objects > MAX_FILE_OBJECTS && this.#framing === 'elements')
      throw this.#fault(`it holds more than ${MAX_FILE_OBJECTS} objects`, start);
    this.#onObject(b, start, end, m);
  }

  #fault(what: string, at: number): ExportError {
    return new ExportError(
      'BAD_FILE',
      `${what} (byte ${this.#offset + at}, after ${this.#objects} objects)`,
    );
  }
}

/** Tells whether more bytes could still make it `{"elements":[`. */
function mayBecomeOpening(text: string): boolean {
  const bare = text.replace(/^\xef\xbb?\xbf?/, '').replaceAll(/[ \t\r\n]+/g, '');
  return '{"elements":['.startsWith(bare) && bare.length < 13;
}
