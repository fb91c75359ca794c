import { OBJECTS_PER_FILE } from '@tillroll/contract';

/** The destination of the pieces of files. Calls come in order; a file's pieces end before the next file's begin. */
export interface PieceTarget {
  piece(position: number, bytes: Buffer): void;
  end(position: number, objects: number): void;
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
  readonly #target: PieceTarget;
  readonly #allocate: () => Buffer;
  #piece: Buffer | null = null;
  #used = 0;
  #position = 0;
  #objects = 0;

  /** @param allocate a buffer of `PIECE_BYTES`, which the target owns once it was handed on. */
  constructor(
    target: PieceTarget,
    allocate: () => Buffer = () => Buffer.allocUnsafeSlow(PIECE_BYTES),
  ) {
    this.#target = target;
    this.#allocate = allocate;
  }

  /** Takes the object that is `data[start..end)`; its bytes are copied before this returns. */
  push(data: Buffer, start: number, end: number): void {
    const lead = this.#objects === 0 ? OPEN : SEPARATOR;
    this.#append(lead, 0, lead.length);
    this.#append(data, start, end);
    this.#objects++;
    if (this.#objects === OBJECTS_PER_FILE) this.#endFile();
  }

  /** Ends the last file. Without objects there is no file at all. */
  finish(): void {
    if (this.#objects > 0) this.#endFile();
  }

  #endFile(): void {
    this.#append(CLOSE, 0, CLOSE.length);
    this.#flush();
    this.#target.end(this.#position, this.#objects);
    this.#position++;
    this.#objects = 0;
  }

  #append(data: Buffer, start: number, end: number): void {
    let at = start;
    while (at < end) {
      this.#piece ??= this.#allocate();
      const copied = data.copy(this.#piece, this.#used, at, end);
      this.#used += copied;
      at += copied;
      if (this.#used === this.#piece.length) this.#flush();
    }
  }

  #flush(): void {
    if (this.#piece === null || this.#used === 0) return;
    this.#target.piece(this.#position, this.#piece.subarray(0, this.#used));
    this.#piece = null;
    this.#used = 0;
  }
}
