/** Writes a file of JSON lines beside the thread that makes them, and hashes it. */
import { createHash, type Hash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import type { FileSum } from '../disk/entries.ts';
import { openForWriting, writePieces } from '../disk/write.ts';
import { removeLineBreaks } from '../json/line-breaks.ts';
import { freeBuffer } from './free-buffer.ts';

const LF = 10;
const LINE_END = Buffer.from([LF]);
/** Bytes of one write. */
const BLOCK_BYTES = 4 * 1024 * 1024;
/** Writes in flight while more lines are made. */
const MAX_WRITES = 2;
/** Bytes after which they are synced, so that the disk works all the time and not only at the end. */
const SYNC_BYTES = 32 * 1024 * 1024;

/** A state of the file to which it can be rolled back. */
export interface Mark {
  position: number;
  hash: Hash;
}

/**
 * Writes objects as JSON lines, and hashes the file. Objects are not copied, and writing happens beside the calling
 * thread: `drain` bounds the writes in flight.
 */
export class LinesWriter {
  readonly #file: FileHandle;
  #hash: Hash = createHash('sha256');
  /** Bytes that were handed over for writing. */
  #position = 0;
  /** The writes in their order: each begins when the one before has ended. */
  #writes: Promise<void>[] = [];
  #syncing: Promise<void> = Promise.resolve();
  #synced = 0;
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
  addObject(buffer: Buffer, start: number, end: number, hasBreaks: boolean): void {
    if (hasBreaks) {
      this.#endRun();
      this.#addLine(removeLineBreaks(buffer, start, end));
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
    const before = this.#writes.at(-1) ?? Promise.resolve();
    const write = before.then(() => writePieces(this.#file, pieces, position));
    // They are awaited by `drain` and `finish`.
    write.catch(() => undefined);
    this.#writes.push(write);
    if (this.#position - this.#synced >= SYNC_BYTES) this.#sync(write);
  }

  #sync(write: Promise<void>): void {
    this.#synced = this.#position;
    this.#syncing = Promise.all([this.#syncing, write]).then(() => this.#file.datasync());
    this.#syncing.catch(() => undefined);
  }

  /** Waits until few writes are in flight. @throws a system error */
  async drain(most = MAX_WRITES): Promise<void> {
    while (this.#writes.length > most) {
      await this.#writes[0];
      this.#writes = this.#writes.slice(1);
    }
  }

  /** Frees a buffer when its objects are written. It must not be used after this call. */
  freeWhenWritten(buffer: Buffer): void {
    this.#flush();
    const free = (): void => freeBuffer(buffer);
    (this.#writes.at(-1) ?? Promise.resolve()).then(free, free);
  }

  #flush(): void {
    this.#endRun();
    if (this.#pieceBytes > 0) this.#handOver();
  }

  /** Hands over what was added. @returns the state to roll back to. */
  mark(): Mark {
    this.#flush();
    return { position: this.#position, hash: this.#hash.copy() };
  }

  /** Removes what was added after `mark`. */
  async rollback({ position, hash }: Mark): Promise<void> {
    this.#run = undefined;
    this.#pieces = [];
    this.#pieceBytes = 0;
    this.#hash = hash;
    this.#position = position;
    await this.drain(0);
    await this.#file.truncate(position);
    this.#synced = Math.min(this.#synced, position);
  }

  /** Writes what is left and closes the file. */
  async finish(): Promise<FileSum> {
    const { position, hash } = this.mark();
    await this.drain(0);
    await this.#syncing;
    await this.close();
    return { bytes: position, sha256: hash.digest('hex') };
  }

  /** Waits for the writes in flight, successful or not, and closes the file. */
  async close(): Promise<void> {
    await Promise.allSettled([...this.#writes, this.#syncing]);
    await this.#file.close();
  }
}
