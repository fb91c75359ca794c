/** Cuts a stream of objects into files. */
import { BreakFinder } from './break-finder.ts';
import { FRAMINGS, type FileLayout, type Framing } from './layout.ts';

/** A file that is being written. */
export interface OpenFile {
  /** Takes a piece, and the memory behind it. */
  write(piece: Buffer): void;
  /** Ends the file. @param objects how many it holds. */
  close(objects: number): void;
}

/** The destination of the files. One is closed before the next is opened. */
export interface FileTarget {
  /** @param position of the file in its export, from 0. @param isDeletions it holds tombstones alone. */
  open(position: number, isDeletions: boolean): OpenFile;
}

export const PIECE_BYTES = 256 * 1024;

/**
 * Cuts a stream of objects into files of a layout, each file into pieces of at most 256 KiB, so
 * that what is in flight is counted in bytes however large the objects are.
 */
export class FileCutter {
  readonly #framing: Framing;
  readonly #objectsPerFile: number;
  readonly #breaks = new BreakFinder();
  readonly #target: FileTarget;
  readonly #allocate: () => Buffer;
  #file: OpenFile | null = null;
  #piece: Buffer | null = null;
  #used = 0;
  #position = 0;
  #objects = 0;
  #isDeletions = false;

  /** @param allocate a buffer of `PIECE_BYTES`, which the target owns once it was handed on. */
  constructor(
    { format, objectsPerFile }: FileLayout,
    target: FileTarget,
    allocate: () => Buffer = () => Buffer.allocUnsafeSlow(PIECE_BYTES),
  ) {
    this.#framing = FRAMINGS[format];
    this.#objectsPerFile = objectsPerFile;
    this.#target = target;
    this.#allocate = allocate;
  }

  /**
   * Takes the object that is `data[start..end)`; its bytes are copied before this returns. Tombstones and objects are in
   * files of their own.
   */
  push(data: Buffer, start: number, end: number, isDeletion = false): void {
    if (this.#file && isDeletion !== this.#isDeletions) this.#close(this.#file);
    this.#isDeletions = isDeletion;
    const file = this.#file ?? (this.#file = this.#target.open(this.#position, isDeletion));
    const { open, separator, isLines } = this.#framing;
    const lead = this.#objects === 0 ? open : separator;
    this.#append(file, lead, 0, lead.length);
    if (isLines) this.#appendLine(file, data, start, end);
    else this.#append(file, data, start, end);
    this.#objects++;
    if (this.#objects === this.#objectsPerFile) this.#close(file);
  }

  /** Ends the last file. Without objects there is no file at all. */
  finish(): void {
    if (this.#file) this.#close(this.#file);
  }

  #close(file: OpenFile): void {
    const { close } = this.#framing;
    this.#append(file, close, 0, close.length);
    this.#flush(file);
    file.close(this.#objects);
    this.#file = null;
    this.#position++;
    this.#objects = 0;
  }

  /** Appends an object without its line breaks. */
  #appendLine(file: OpenFile, data: Buffer, start: number, end: number): void {
    let at = start;
    for (;;) {
      const lineBreak = this.#breaks.find(data, at, end);
      if (lineBreak < 0) break;
      this.#append(file, data, at, lineBreak);
      at = lineBreak + 1;
    }
    this.#append(file, data, at, end);
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
