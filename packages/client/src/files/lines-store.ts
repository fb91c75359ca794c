import { createHash, type Hash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { interrupted } from '../http/backoff.ts';
import type { Members } from '../json/members.ts';
import type { ObjectReader } from '../json/object-reader.ts';
import { inflated, makeDirectory, writeAll } from './disk.ts';
import type { Segment, StoredFile } from './journal.ts';
import { absolute, PART, type Layout } from './layout.ts';
import type { Counted, RangeStore, SegmentWriter, Written } from './range-store.ts';

const deflate = promisify(gzip);

/** What a segment may hold in memory before it waits for its turn to write. */
const HELD_BYTES = 4 * 1024 * 1024;
const CHUNK_BYTES = 1024 * 1024;
const LF = 10;
const CR = 13;
const NEWLINE = Buffer.from('\n');
/** Fast, as on the wire: the bytes are mostly names of members. */
const GZIP = { level: 1 };

/**
 * JSON lines: the served files of a range one behind the other in one file, whichever of them comes
 * first over the network. A segment is written when those before it are.
 */
export class LinesStore implements RangeStore {
  readonly #layout: Layout;
  readonly #path: string;
  #file: FileHandle | undefined;
  #hash: Hash = createHash('sha256');
  #end = 0;
  #objects = 0;
  #first: number | null = null;
  #last: number | null = null;
  #turn: number;
  readonly #waiting = new Map<number, PromiseWithResolvers<void>>();

  /** @param path of the finished file, relative to the output directory. */
  private constructor(layout: Layout, path: string, turn: number) {
    this.#layout = layout;
    this.#path = path;
    this.#turn = turn;
  }

  /**
   * Goes on behind the segments that are really there: the file is read again, and what does not have
   * the checksum that was noted is cut off.
   * @param reader is given the objects that are kept.
   */
  static async open(
    layout: Layout,
    path: string,
    segments: readonly Segment[],
    reader: ObjectReader,
  ): Promise<{ store: LinesStore; kept: Segment[] }> {
    const part = absolute(layout, `${path}${PART}`);
    await makeDirectory(dirname(part));
    const file = await open(part, segments.length > 0 ? 'a+' : 'w+');
    await file.close();
    const store = new LinesStore(layout, path, 0);
    store.#file = await open(part, 'r+');
    const kept = await store.#recover(segments, reader);
    await store.#file.truncate(store.#end);
    store.#turn = kept.length;
    return { store, kept };
  }

  async #recover(segments: readonly Segment[], reader: ObjectReader): Promise<Segment[]> {
    const kept: Segment[] = [];
    for (const segment of segments) {
      const { end = 0, digest, position, tally } = segment;
      if (position !== kept.length || end < this.#end) break;
      const hash = this.#hash.copy();
      let length = 0;
      for await (const chunk of this.#read(this.#end, end)) {
        hash.update(chunk);
        length += chunk.length;
      }
      if (length < end - this.#end || hash.copy().digest('hex') !== digest) break;
      // Read once more, and only now looked into: it is what was written.
      const stored = this.#read(this.#end, end);
      // A file without objects left no byte, which is no gzip.
      const isGzip = this.#layout.gzip && end > this.#end;
      for await (const chunk of isGzip ? inflated(stored) : stored) reader.push(chunk);
      this.#hash = hash;
      this.#end = end;
      this.#count(tally);
      kept.push(segment);
    }
    reader.end();
    return kept;
  }

  async *#read(from: number, to: number): AsyncGenerator<Buffer, void, void> {
    for (let at = from; at < to;) {
      const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, to - at));
      const bytesRead = (await this.#file?.read(chunk, 0, chunk.length, at))?.bytesRead ?? 0;
      if (bytesRead === 0) return;
      at += bytesRead;
      yield chunk.subarray(0, bytesRead);
    }
  }

  begin(position: number): SegmentWriter {
    return new LinesSegment(this, position, this.#layout.gzip);
  }

  /** Resolves when all segments before `position` are written. */
  async turn(position: number): Promise<void> {
    if (!this.#file) throw interrupted();
    if (this.#turn === position) return;
    const waiting = Promise.withResolvers<void>();
    this.#waiting.set(position, waiting);
    await waiting.promise;
  }

  isTurn(position: number): boolean {
    return this.#turn === position;
  }

  async write(pieces: Buffer[]): Promise<void> {
    if (pieces.length === 0 || !this.#file) return;
    const written = this.#layout.gzip ? [await deflate(Buffer.concat(pieces), GZIP)] : pieces;
    for (const piece of written) this.#hash.update(piece);
    this.#end += await writeAll(this.#file, written, this.#end);
  }

  mark(): { end: number; hash: Hash } {
    return { end: this.#end, hash: this.#hash.copy() };
  }

  async backTo({ end, hash }: { end: number; hash: Hash }): Promise<void> {
    this.#end = end;
    this.#hash = hash;
    await this.#file?.truncate(end);
  }

  digest(): { end: number; digest: string } {
    return { end: this.#end, digest: this.#hash.copy().digest('hex') };
  }

  next(counted: Counted): void {
    this.#count(counted);
    this.#turn++;
    const waiting = this.#waiting.get(this.#turn);
    this.#waiting.delete(this.#turn);
    waiting?.resolve();
  }

  #count({ objects, first, last }: Counted): void {
    this.#objects += objects;
    if (first !== null) this.#first = this.#first === null ? first : Math.min(this.#first, first);
    if (last !== null) this.#last = this.#last === null ? last : Math.max(this.#last, last);
  }

  async finish(): Promise<{ files: StoredFile[] }> {
    // No byte at all would be no gzip file.
    if (this.#layout.gzip && this.#end === 0) await this.write([Buffer.alloc(0)]);
    await this.#file?.sync();
    await this.close();
    const file = {
      path: this.#path,
      objects: this.#objects,
      bytes: this.#end,
      sha256: this.#hash.digest('hex'),
      first: this.#first,
      last: this.#last,
    };
    return { files: [file] };
  }

  partOf(path: string): string {
    return `${path}${PART}`;
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    for (const waiting of this.#waiting.values()) waiting.reject(interrupted());
    this.#waiting.clear();
    await file?.close();
  }
}

class LinesSegment implements SegmentWriter {
  readonly #store: LinesStore;
  readonly #position: number;
  /** A gzip member is cut at the same objects in every run, or the files would differ. */
  readonly #cutsMembers: boolean;
  #pieces: Buffer[] = [];
  #held = 0;
  #full: Buffer[][] = [];
  #fullBytes = 0;
  #before: { end: number; hash: Hash } | undefined;
  /** Neighbouring objects of one buffer are written as one piece. */
  #run: Buffer | undefined;
  #runStart = 0;
  #runEnd = 0;

  constructor(store: LinesStore, position: number, cutsMembers: boolean) {
    this.#store = store;
    this.#position = position;
    this.#cutsMembers = cutsMembers;
  }

  bytes(): void {
    // Lines are made of the objects alone.
  }

  object(buffer: Buffer, start: number, end: number, { hasBreaks }: Members): void {
    if (hasBreaks) {
      this.#endRun();
      this.#push(withoutBreaks(buffer, start, end));
      this.#push(NEWLINE);
    } else if (this.#run === buffer && start === this.#runEnd + 1) {
      // The comma between the two becomes the line's end: no byte is copied.
      buffer[this.#runEnd] = LF;
      this.#runEnd = end;
    } else {
      this.#endRun();
      this.#run = buffer;
      this.#runStart = start;
      this.#runEnd = end;
    }
    if (this.#held + this.#runEnd - this.#runStart >= HELD_BYTES) this.#cut();
  }

  #endRun(): void {
    if (!this.#run) return;
    this.#push(this.#run.subarray(this.#runStart, this.#runEnd));
    this.#push(NEWLINE);
    this.#run = undefined;
    this.#runEnd = this.#runStart = 0;
  }

  #push(piece: Buffer): void {
    this.#pieces.push(piece);
    this.#held += piece.length;
  }

  #cut(): void {
    this.#endRun();
    if (this.#pieces.length === 0) return;
    this.#full.push(this.#pieces);
    this.#fullBytes += this.#held;
    this.#pieces = [];
    this.#held = 0;
  }

  async relieve(): Promise<void> {
    // The run's buffer is about to be read on.
    this.#endRun();
    if (this.#full.length === 0) return;
    if (!this.#store.isTurn(this.#position) && this.#fullBytes < HELD_BYTES) return;
    await this.#store.turn(this.#position);
    await this.#flush();
  }

  async #flush(): Promise<void> {
    this.#before ??= this.#store.mark();
    const full = this.#full;
    this.#full = [];
    this.#fullBytes = 0;
    if (this.#cutsMembers) for (const pieces of full) await this.#store.write(pieces);
    else await this.#store.write(full.flat());
  }

  async commit(record: (written: Written) => Promise<void>, counted: Counted): Promise<void> {
    this.#cut();
    await this.#store.turn(this.#position);
    await this.#flush();
    await record(this.#store.digest());
    this.#store.next(counted);
  }

  async abandon(): Promise<void> {
    this.#pieces = [];
    this.#full = [];
    this.#run = undefined;
    this.#held = this.#fullBytes = 0;
    if (this.#before) await this.#store.backTo(this.#before);
    this.#before = undefined;
  }
}

/** A copy without the line breaks that layout put between tokens; those inside strings are escaped. */
function withoutBreaks(buffer: Buffer, start: number, end: number): Buffer {
  const copy = Buffer.allocUnsafe(end - start);
  let length = 0;
  for (let i = start; i < end; i++) {
    const byte = buffer[i] as number;
    if (byte !== LF && byte !== CR) copy[length++] = byte;
  }
  return copy.subarray(0, length);
}
