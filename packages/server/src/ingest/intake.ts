/** Takes an upload's bytes in, inside a thread: inflate, cut, check, write to the spool. */
import type { ExportType } from '@tillroll/contract';
import { BadBody, TooLarge } from './errors.ts';
import { GZIP_MAGIC, Inflater } from './inflate.ts';
import { LineCutter } from './lines.ts';
import { IdParser } from './id-row.ts';
import { RowParser } from './row.ts';
import { SpoolWriter } from './spool-writer.ts';

/** Encoding of the bytes of an upload. `detect`: as gzip when they begin like it. */
export type Encoding = 'identity' | 'gzip' | 'detect';

export interface IntakeTarget {
  /** The objects of a type, or ids alone. */
  content: ExportType | 'IDS';
  /** PostgreSQL's clock when the upload began, epoch milliseconds. */
  now: number;
  encoding: Encoding;
  /** The spool's file, open for writing, empty. */
  fd: number;
}

/** The result of reading an upload. */
export interface IntakeResult {
  rows: number;
  /** Bytes in the spool. */
  bytes: number;
}

/**
 * Generated orders compress 10 to 20 times, and an id and two times alone keep a line from being
 * compressed a hundred times. What goes beyond is a bomb.
 */
const MAX_RATIO = 200;
/** Below this an upload may inflate as it likes: the memory of a few lines. */
const RATIO_FROM_BYTES = 16 * 1024 * 1024;

/**
 * One upload from its raw bytes to a spool of checked rows: inflates, cuts lines, checks each, writes
 * it. Works without a turn of the event loop but for zlib's, so it belongs on a thread of its own.
 */
export class Intake {
  readonly #encoding: Encoding;
  readonly #cutter: LineCutter;
  readonly #spool: SpoolWriter;
  #inflater: Inflater | null = null;
  /** The first bytes, until they tell whether this is gzip. */
  #head: Buffer | null = Buffer.alloc(0);
  #contentHead: Buffer = Buffer.alloc(0);
  #received = 0;
  #inflated = 0;

  /** @param onSpooled is called with the spool's size whenever it has grown, bytes. */
  constructor(target: IntakeTarget, onSpooled: (bytes: number) => void) {
    this.#encoding = target.encoding;
    this.#spool = new SpoolWriter(target.fd, onSpooled);
    const parser =
      target.content === 'IDS' ? new IdParser() : new RowParser(target.content, target.now);
    this.#cutter = new LineCutter((line) => this.#spool.add(parser.parse(line)));
  }

  /**
   * Takes raw bytes, in any portions; resolves once they are done with.
   * @throws BadLine, BadBody, TooLarge: the upload is over.
   */
  async write(chunk: Buffer): Promise<void> {
    this.#received += chunk.length;
    if (this.#head === null) return this.#take(chunk);
    const head = Buffer.concat([this.#head, chunk]);
    this.#head = head;
    if (head.length >= GZIP_MAGIC.length) await this.#begin(head);
  }

  /** @throws BadLine, BadBody, TooLarge */
  async end(): Promise<IntakeResult> {
    if (this.#head !== null) await this.#begin(this.#head);
    await this.#inflater?.end();
    this.#cutter.end();
    return this.#spool.finish();
  }

  /** Stops in the middle. */
  close(): void {
    this.#inflater?.close();
  }

  #begin(head: Buffer): Promise<void> {
    this.#head = null;
    const isGzip = this.#encoding === 'detect' ? startsLikeGzip(head) : this.#encoding === 'gzip';
    if (isGzip) this.#inflater = new Inflater((bytes) => this.#takeInflated(bytes));
    return this.#take(head);
  }

  async #take(bytes: Buffer): Promise<void> {
    if (this.#inflater) await this.#inflater.write(bytes);
    else this.#takeContent(bytes);
  }

  #takeInflated(bytes: Buffer): void {
    this.#inflated += bytes.length;
    if (this.#inflated > RATIO_FROM_BYTES && this.#inflated > this.#received * MAX_RATIO) {
      throw new TooLarge(
        `the body inflates to more than ${MAX_RATIO} times its size, which objects do not; send it in smaller parts or uncompressed`,
      );
    }
    this.#takeContent(bytes);
  }

  #takeContent(bytes: Buffer): void {
    const missing = GZIP_MAGIC.length - this.#contentHead.length;
    if (missing > 0) {
      this.#contentHead = Buffer.concat([this.#contentHead, bytes.subarray(0, missing)]);
      if (startsLikeGzip(this.#contentHead)) {
        throw new BadBody(
          this.#inflater
            ? 'the gzip data holds gzip data again: compress it once; nothing of this request was stored'
            : 'the body is gzip data, and Content-Encoding does not say so: send the header Content-Encoding: gzip; nothing of this request was stored',
        );
      }
    }
    this.#cutter.push(bytes);
  }
}

function startsLikeGzip(bytes: Buffer): boolean {
  return bytes.subarray(0, GZIP_MAGIC.length).equals(GZIP_MAGIC);
}
