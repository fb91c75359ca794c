/** Decodes the rows of binary COPY. */
import type { RowLayout } from './statement.ts';

/**
 * One row of the COPY stream: where its object lies in what came off the socket. A Buffer for each
 * row would cost more than everything else that is done to it.
 */
export interface RowFrame {
  /** The key by which rows are ordered: `createdTime` in epoch milliseconds, or of changes the number of the load. */
  position: number;
  /** The object is a tombstone. */
  isDeletion: boolean;
  /** The fields for the totals begin at `data[fields]`, as PostgreSQL sends them: each its length and its bytes. */
  fields: number;
  /** The object's exact bytes, UTF-8 JSON, are `data[start..end)`. */
  data: Buffer;
  start: number;
  end: number;
}

/** Counts the bytes of objects. */
export function countBytes(frames: readonly Pick<RowFrame, 'start' | 'end'>[]): number {
  return frames.reduce((sum, { start, end }) => sum + end - start, 0);
}

/** The stream is not what PostgreSQL's binary COPY format promises, or ended early. */
export class BrokenStream extends Error {
  override name = 'BrokenStream';
}

/** An object above the limit below. */
export class ObjectTooLarge extends Error {
  override name = 'ObjectTooLarge';
}

/** One object is held whole; without a limit a single row could take all memory. */
export const MAX_OBJECT_BYTES = 64 * 1024 * 1024;

const SIGNATURE = Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1');
/** Signature, flags, length of the header extension. */
const HEADER_BYTES = SIGNATURE.length + 4 + 4;
/** Field count, length of the first field, the int8. */
const ROW_HEAD_BYTES = 2 + 4 + 8;
/** A text for the totals, such as a currency, is held for each different one. */
const MAX_TEXT_BYTES = 256;
/** The length of a field that is NULL. */
const NULL_LENGTH = -1;
const END_MARKER = -1;
const BAD_ROW = 'a row is not (position bigint NOT NULL, texts, integers, object text NOT NULL)';

/**
 * Cuts PostgreSQL's binary COPY stream of rows (position, texts, integers, object) into frames, whatever the boundaries of
 * its chunks (PostgreSQL documentation, COPY, "Binary Format").
 */
export class FrameDecoder {
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #needed = HEADER_BYTES;
  #state: 'header' | 'rows' | 'ended' = 'header';
  #rows = 0;
  readonly #texts: number;
  readonly #fields: number;
  readonly #isDeletions: boolean;

  /** @param isDeletions of all rows. */
  constructor({ texts, integers }: RowLayout, isDeletions = false) {
    this.#isDeletions = isDeletions;
    this.#texts = texts.length;
    this.#fields = texts.length + integers.length;
  }

  /** Rows decoded so far. */
  get rows(): number {
    return this.#rows;
  }

  /**
   * Decodes `data[start..end)`. Only a row that spans two chunks is joined; all others stay where they
   * are.
   * @returns `frames`, with the frames that these bytes complete. @throws BrokenStream, ObjectTooLarge
   */
  push(data: Buffer, start = 0, end: number = data.length, frames: RowFrame[] = []): RowFrame[] {
    let at = start;
    while (this.#pendingBytes > 0 && at < end) {
      const taken = Math.min(this.#needed - this.#pendingBytes, end - at);
      this.#keep(data.subarray(at, at + taken));
      at += taken;
      if (this.#pendingBytes < this.#needed) return frames;
      const joined = Buffer.concat(this.#pending, this.#pendingBytes);
      this.#pending = [];
      this.#pendingBytes = 0;
      this.#keep(joined.subarray(this.#decode(joined, 0, joined.length, frames)));
    }
    if (at < end) this.#keep(data.subarray(this.#decode(data, at, end, frames), end));
    return frames;
  }

  #keep(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length;
  }

  /** @returns how far it came; `#needed` bytes from there are needed to continue. */
  #decode(data: Buffer, start: number, end: number, frames: RowFrame[]): number {
    let at = start;
    if (this.#state === 'header') {
      if (end - at < HEADER_BYTES) return this.#wait(HEADER_BYTES, at);
      const extension = data.readInt32BE(at + SIGNATURE.length + 4);
      if (!data.subarray(at, at + SIGNATURE.length).equals(SIGNATURE) || extension !== 0) {
        throw new BrokenStream('the stream does not begin like a binary COPY');
      }
      at += HEADER_BYTES;
      this.#state = 'rows';
    }
    while (at < end) {
      const left = end - at;
      if (this.#state === 'ended') {
        throw new BrokenStream('the stream continues after its end marker');
      }
      if (left < 2) return this.#wait(2, at);
      const fields = data.readInt16BE(at);
      if (fields === END_MARKER) {
        this.#state = 'ended';
        at += 2;
        continue;
      }
      if (left < ROW_HEAD_BYTES) return this.#wait(ROW_HEAD_BYTES, at);
      if (fields !== this.#fields + 2 || data.readInt32BE(at + 2) !== 8)
        throw new BrokenStream(BAD_ROW);
      const object = this.#skipFields(data, at, end);
      if (object < 0) return at;
      const length = data.readInt32BE(object - 4);
      if (length < 0) throw new BrokenStream(BAD_ROW);
      if (length > MAX_OBJECT_BYTES) throw new ObjectTooLarge(`an object of ${length} bytes`);
      const whole = object - at + length;
      if (left < whole) return this.#wait(whole, at);
      frames.push({
        // Exact: times and numbers stay far below 2^53.
        position: data.readInt32BE(at + 6) * 2 ** 32 + data.readUInt32BE(at + 10),
        isDeletion: this.#isDeletions,
        fields: at + ROW_HEAD_BYTES,
        data,
        start: object,
        end: at + whole,
      });
      this.#rows++;
      at += whole;
    }
    return at;
  }

  /** Finds where the object of the row at `row` begins; -1 when more bytes are needed, as `#needed` says. */
  #skipFields(data: Buffer, row: number, end: number): number {
    let at = row + ROW_HEAD_BYTES;
    for (let field = 0; ; field++) {
      at += 4;
      if (at > end) return this.#wait(at - row, -1);
      if (field === this.#fields) return at;
      const length = data.readInt32BE(at - 4);
      if (length === NULL_LENGTH) continue;
      const isText = field < this.#texts;
      if (isText ? length < 0 || length > MAX_TEXT_BYTES : length !== 8)
        throw new BrokenStream(
          isText ? `a currency or a result of more than ${MAX_TEXT_BYTES} bytes` : BAD_ROW,
        );
      at += length;
    }
  }

  #wait(bytes: number, at: number): number {
    this.#needed = bytes;
    return at;
  }

  /** @throws BrokenStream unless the end marker was seen. */
  finish(): void {
    if (this.#state !== 'ended') throw new BrokenStream('the stream ended before its end marker');
  }
}
