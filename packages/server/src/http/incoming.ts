/** Node's request with memory in proportion to its body, however small its chunks are. */
import { IncomingMessage } from 'node:http';
import { BYTES_PER_SMALL_PART, MAX_SMALL_PARTS } from './limits.ts';
import { stopReading } from './socket.ts';

/** Smaller parts of a body are put together. */
const SMALL_BYTES = 1024;
const BUFFER_BYTES = 4 * 1024;

/**
 * A request whose body costs no more memory than its bytes. The parser hands on each HTTP chunk as a
 * Buffer of its own, about 100 bytes beside a reference to the 64 KiB that were read; a body in chunks
 * of one byte would cost a hundred times its size. Here the small parts of one read become one, and a
 * body in too many small parts is not read on, nor is anything else of its connection: 'shredded' is
 * emitted once.
 */
export class Incoming extends IncomingMessage {
  #held: Buffer | null = null;
  #used = 0;
  #flush: NodeJS.Immediate | null = null;
  #partsLeft = MAX_SMALL_PARTS;
  #isShredded = false;

  /** Tells whether the body came in too many small parts. */
  get isShredded(): boolean {
    return this.#isShredded;
  }

  /** Allows at most so many small parts from now on: the body is not wanted. */
  limitParts(parts: number): void {
    this.#partsLeft = Math.min(this.#partsLeft, parts);
  }

  override push(chunk: unknown): boolean {
    if (this.#isShredded) return false;
    if (Buffer.isBuffer(chunk)) {
      this.#partsLeft += chunk.length / BYTES_PER_SMALL_PART;
      if (chunk.length < SMALL_BYTES) return this.#takePart() && this.#hold(chunk);
    }
    this.#pushHeld();
    return super.push(chunk);
  }

  #takePart(): boolean {
    if (--this.#partsLeft >= 0) return true;
    this.#isShredded = true;
    stopReading(this.socket);
    this.emit('shredded');
    return false;
  }

  #hold(chunk: Buffer): boolean {
    if (this.#held === null) {
      this.#held = chunk;
      this.#used = chunk.length;
      // After the parser is through with what was read: it calls back for each part in between.
      this.#flush = setImmediate(() => this.#pushHeld());
    } else {
      this.#join(this.#held, chunk);
    }
    return this.readableLength + this.#used < this.readableHighWaterMark;
  }

  #join(held: Buffer, chunk: Buffer): void {
    if (this.#used + chunk.length > BUFFER_BYTES) {
      this.#pushHeld();
      this.#hold(chunk);
      return;
    }
    let buffer = held;
    // The first part is a view of what was read, exactly as long as it is.
    if (this.#used === held.length) {
      buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
      held.copy(buffer);
      this.#held = buffer;
    }
    chunk.copy(buffer, this.#used);
    this.#used += chunk.length;
  }

  #pushHeld(): boolean {
    const held = this.#held;
    if (held === null) return true;
    if (this.#flush) clearImmediate(this.#flush);
    this.#held = null;
    this.#flush = null;
    return this.destroyed || super.push(held.subarray(0, this.#used));
  }
}

/** Calls `then` once the body of a request has come in too many small parts. */
export function whenShredded(request: IncomingMessage, then: () => void): void {
  if (request instanceof Incoming && request.isShredded) then();
  else request.once('shredded', then);
}
