import { createHash, type Hash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import type { FileSum } from '../disk/entries.ts';
import { openForWriting, writePieces } from '../disk/write.ts';

const LF = 10;
const CR = 13;
const LINE_END = Buffer.from([LF]);
/** Bytes of one write. */
const BLOCK_BYTES = 4 * 1024 * 1024;

/** A state of the file to which it can be cut back. */
export interface Mark {
  position: number;
  hash: Hash;
}

/**
 * Writes objects as JSON lines, and hashes the file. Objects are not copied, and writing happens beside the calling
 * thread: `drain` bounds what is on its way.
 */
export class LinesWriter {
  readonly #file: FileHandle;
  #hash: Hash = createHash('sha256');
  /** Bytes that were handed over for writing. */
  #position = 0;
  #writing: Promise<void> = Promise.resolve();
  #pieces: Buffer[] = [];
  #pieceBytes = 0;
  /** Neighbouring objects of one buffer are written as one piece. */
  #run: Buffer | undefined;
  #runStart = 0;
  #runEnd = 0;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  static async open(path: string, mode: number): Promise<LinesWriter> {
    return new LinesWriter(await openForWriting(path, mode));
  }

  /**
   * Adds an object as a line, without the line breaks outside its strings. The bytes stay in use until the next
   * `drain`; the byte between two neighbours in `buffer` becomes the end of a line.
   */
  object(buffer: Buffer, start: number, end: number, hasBreaks: boolean): void {
    if (hasBreaks) {
      this.#endRun();
      this.#addLine(withoutBreaks(buffer, start, end));
      return;
    }
    if (this.#run === buffer && start === this.#runEnd + 1) buffer[this.#runEnd] = LF;
    else {
      this.#endRun();
      this.#run = buffer;
      this.#runStart = start;
    }
    this.#runEnd = end;
    if (end - this.#runStart >= BLOCK_BYTES) this.#endRun();
  }

  #endRun(): void {
    const run = this.#run;
    if (!run) return;
    this.#run = undefined;
    this.#addLine(run.subarray(this.#runStart, this.#runEnd));
  }

  #addLine(bytes: Buffer): void {
    this.#pieces.push(bytes, LINE_END);
    this.#pieceBytes += bytes.length + 1;
    if (this.#pieceBytes >= BLOCK_BYTES) this.#handOver();
  }

  #handOver(): void {
    const pieces = this.#pieces;
    const position = this.#position;
    for (const piece of pieces) this.#hash.update(piece);
    this.#position += this.#pieceBytes;
    this.#pieces = [];
    this.#pieceBytes = 0;
    this.#writing = this.#writing.then(() => writePieces(this.#file, pieces, position));
    // It is awaited by `drain` and `finish`.
    this.#writing.catch(() => undefined);
  }

  /** Waits until all that was handed over is written. @throws a system error */
  async drain(): Promise<void> {
    await this.#writing;
  }

  /** Hands over what was added. */
  mark(): Mark {
    this.#endRun();
    if (this.#pieceBytes > 0) this.#handOver();
    return { position: this.#position, hash: this.#hash.copy() };
  }

  /** Removes what was added after `mark`. */
  async rollback({ position, hash }: Mark): Promise<void> {
    this.#run = undefined;
    this.#pieces = [];
    this.#pieceBytes = 0;
    this.#hash = hash;
    this.#position = position;
    await this.drain();
    await this.#file.truncate(position);
  }

  /** Writes what is left and closes the file. */
  async finish(): Promise<FileSum> {
    const { position, hash } = this.mark();
    await this.drain();
    await this.close();
    return { bytes: position, sha256: hash.digest('hex') };
  }

  /** Waits for writes that are on their way, whatever becomes of them. */
  async close(): Promise<void> {
    await this.#writing.catch(() => undefined);
    await this.#file.close();
  }
}

/** Copies an object without the line breaks between its tokens; those inside strings are escaped. */
function withoutBreaks(buffer: Buffer, start: number, end: number): Buffer {
  const copy = Buffer.allocUnsafe(end - start);
  let length = 0;
  for (let i = start; i < end; i++) {
    const byte = buffer[i] as number;
    if (byte !== LF && byte !== CR) copy[length++] = byte;
  }
  return copy.subarray(0, length);
}
