/** Cuts a body into lines. */
import { MAX_BODY_BYTES, MAX_LINE_BYTES } from '@tillroll/contract';
import { TooLarge } from './errors.ts';

/** A line without its line break. Its bytes are valid until the next one. */
export interface Line {
  /** Counts from 1, empty lines included. */
  number: number;
  bytes: Buffer;
}

/** Bytes of one line, and of all of them. */
export interface LineLimits {
  line: number;
  body: number;
}

const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const BOM = Buffer.from([0xef, 0xbb, 0xbf]);

/** Bytes of memory for a line across chunks: at first, and at most between two of them. */
const FIRST_BYTES = 64 * 1024;
const KEPT_BYTES = 1024 * 1024;

/** A space, a tab or a carriage return: a line of them alone is empty. */
function isBlank(byte: number | undefined): boolean {
  return byte === SPACE || byte === TAB || byte === CR;
}

/**
 * Cuts a body into lines (NDJSON): LF or CRLF, a byte order mark and empty lines passed over, the last
 * line with or without a break. Holds at most one line.
 */
export class LineCutter {
  readonly #onLine: (line: Line) => void;
  readonly #limits: LineLimits;
  /** The beginning of a line that continues in the next chunk. */
  #pending: Buffer = Buffer.alloc(0);
  #held = 0;
  #total = 0;
  #number = 0;

  constructor(
    onLine: (line: Line) => void,
    limits: LineLimits = { line: MAX_LINE_BYTES, body: MAX_BODY_BYTES },
  ) {
    this.#onLine = onLine;
    this.#limits = limits;
  }

  /** @throws TooLarge for a line or a body above its limit; what `onLine` throws. */
  push(chunk: Buffer): void {
    this.#total += chunk.length;
    if (this.#total > this.#limits.body)
      throw new TooLarge(`the body is larger than ${this.#limits.body} bytes after inflating`);
    let from = 0;
    while (from < chunk.length) {
      if (this.#held === 0) from = this.#skipEmptyLines(chunk, from);
      const at = chunk.indexOf(LF, from);
      if (at < 0) break;
      this.#end(chunk.subarray(from, at));
      from = at + 1;
    }
    if (from < chunk.length) this.#hold(chunk.subarray(from));
  }

  /** Hands on a last line without a break. */
  end(): void {
    if (this.#held > 0) this.#end(Buffer.alloc(0));
  }

  /** A gigabyte of line breaks costs one look at each byte. @returns where a line with content begins. */
  #skipEmptyLines(chunk: Buffer, from: number): number {
    const end = chunk.length;
    let start = from;
    let breaks = 0;
    for (let at = from; at < end; at++) {
      const byte = chunk[at] as number;
      if (byte === LF) {
        breaks++;
        start = at + 1;
      } else if (byte !== SPACE && byte !== TAB && byte !== CR) break;
    }
    this.#number += breaks;
    return start;
  }

  #hold(part: Buffer): void {
    const length = this.#held + part.length;
    // One byte for a CR that may belong to the break.
    if (length > this.#limits.line + BOM.length + 1) {
      this.#number++;
      this.#refuseLength();
    }
    if (length > this.#pending.length) {
      // Twice as much each time: chunks of one byte must not cost a copy each.
      const larger = Buffer.allocUnsafe(Math.max(length * 2, FIRST_BYTES));
      this.#pending.copy(larger, 0, 0, this.#held);
      this.#pending = larger;
    }
    part.copy(this.#pending, this.#held);
    this.#held = length;
  }

  #end(last: Buffer): void {
    const isHeld = this.#held > 0;
    if (isHeld) this.#hold(last);
    const whole = isHeld ? this.#pending.subarray(0, this.#held) : last;
    this.#held = 0;
    this.#number++;
    this.#handOn(whole);
    // A long line is rare: its memory is not kept for the next one.
    if (this.#pending.length > KEPT_BYTES) this.#pending = Buffer.alloc(0);
  }

  #handOn(whole: Buffer): void {
    let bytes = whole;
    if (bytes.at(-1) === CR) bytes = bytes.subarray(0, -1);
    if (this.#number === 1 && bytes.subarray(0, 3).equals(BOM)) bytes = bytes.subarray(3);
    if (bytes.length > this.#limits.line) this.#refuseLength();
    // The first byte settles it for all but lines that begin with a blank.
    if (bytes.length === 0 || (isBlank(bytes[0]) && bytes.every(isBlank))) return;
    this.#onLine({ number: this.#number, bytes });
  }

  #refuseLength(): never {
    throw new TooLarge(
      `line ${Math.max(1, this.#number)}: longer than ${this.#limits.line} bytes, the most a line may have`,
    );
  }
}
