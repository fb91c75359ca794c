/** Cuts a stream of objects into files of 1000. */
import { OBJECTS_PER_FILE } from '@tillroll/contract';

/** A file that is being written. */
export interface OpenFile {
  /** Takes a piece, and the memory behind it. */
  write(piece: Buffer): void;
  /** Ends the file. @param objects how many it holds. */
  close(objects: number): void;
}

/** The destination of the files. One is closed before the next is opened. */
export interface FileTarget {
  /** @param position of the file in its export, from 0. */
  open(position: number): OpenFile;
}

export const PIECE_BYTES = 256 * 1024;

const OPEN = Buffer.from('{"elements":[');
const SEPARATOR = Buffer.from(',');
const CLOSE = Buffer.from(']}');

/**
 * Cuts a stream of objects into files `{"elements":[...]}` of 1000, each file into pieces of at most
 * 256 KiB, so that what is in flight is counted in bytes however large the objects are.
 */
export class FileCutter {
  readonly #target: FileTarget;
  readonly #allocate: () => Buffer;
  #file: OpenFile | null = null;
  #piece: Buffer | null = null;
  #used = 0;
  #position = 0;
  #objects = 0;

  /** @param allocate a buffer of `PIECE_BYTES`, which the target owns once it was handed on. */
  constructor(
    target: FileTarget,
    allocate: () => Buffer = () => Buffer.allocUnsafeSlow(PIECE_BYTES),
  ) {
    this.#target = target;
    this.#allocate = allocate;
  }

  /** Takes the object that is `data[start..end)`; its bytes are copied before this returns. */
  push(data: Buffer, start: number, end: number): void {
    const file = this.#file ?? (this.#file = this.#target.open(this.#position));
    const lead = this.#objects === 0 ? OPEN : SEPARATOR;
    this.#append(file, lead, 0, lead.length);
    this.#append(file, data, start, end);
    this.#objects++;
    if (this.#objects === OBJECTS_PER_FILE) this.#close(file);
  }

  /** Ends the last file. Without objects there is no file at all. */
  finish(): void {
    if (this.#file) this.#close(this.#file);
  }

  #close(file: OpenFile): void {
    this.#append(file, CLOSE, 0, CLOSE.length);
    this.#flush(file);
    file.close(this.#objects);
    this.#file = null;
    this.#position++;
    this.#objects = 0;
  }

  #append(file: OpenFile, data: Buffer, start: number, end: number): void {
    let at = start;
    while (at < end) {
      this.#piece ??= this.#allocate();
      const copied = data.copy(this.#piece, this.#used, at, end);
      this.#used += copied;
      at += copied;
      if (this.#used === this.#piece.length) this.#flush(file);
    }
  }

  #flush(file: OpenFile): void {
    if (this.#piece === null || this.#used === 0) return;
    file.write(this.#piece.subarray(0, this.#used));
    this.#piece = null;
    this.#used = 0;
  }
}
