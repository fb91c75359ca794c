/** Decodes the rows of binary COPY. */

/**
 * One row of the COPY stream: where its object lies in what came off the socket. A Buffer for each
 * row would cost more than everything else that is done to it.
 */
export interface RowFrame {
  /** Epoch milliseconds. */
  createdTime: number;
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
/** Field count, length of the first field, the int8, length of the second. */
const ROW_HEAD_BYTES = 2 + 4 + 8 + 4;
const END_MARKER = -1;

/**
 * Cuts PostgreSQL's binary COPY stream of (int8, text) rows into frames, whatever the boundaries of
 * its chunks (PostgreSQL documentation, COPY, "Binary Format").
 */
export class FrameDecoder {
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #needed = HEADER_BYTES;
  #state: 'header' | 'rows' | 'ended' = 'header';
  #rows = 0;

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
      const timeLength = data.readInt32BE(at + 2);
      const length = data.readInt32BE(at + 14);
      if (fields !== 2 || timeLength !== 8 || length < 0) {
        throw new BrokenStream('a row is not (created_time bigint NOT NULL, object text NOT NULL)');
      }
      if (length > MAX_OBJECT_BYTES) throw new ObjectTooLarge(`an object of ${length} bytes`);
      const whole = ROW_HEAD_BYTES + length;
      if (left < whole) return this.#wait(whole, at);
      frames.push({
        // Exact: times stay far below 2^53.
        createdTime: data.readInt32BE(at + 6) * 2 ** 32 + data.readUInt32BE(at + 10),
        data,
        start: at + ROW_HEAD_BYTES,
        end: at + whole,
      });
      this.#rows++;
      at += whole;
    }
    return at;
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
