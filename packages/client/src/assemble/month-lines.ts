/** Makes a month's lines of objects in any order: sorted, each id once. */
import { rename, rm } from 'node:fs/promises';
import { writeContent } from '../disk/write-content.ts';
import { openForReading, type FileSum } from '../disk/entries.ts';
import type { Members } from '../json/members.ts';
import { ObjectReader } from '../json/object-reader.ts';
import { findRepeated, NumberList, type HashId } from './id-index.ts';
import type { AssemblyJob } from './job.ts';
import { LinesWriter } from './lines-writer.ts';
import { ObjectIndex } from './object-index.ts';
import { CHUNK_BYTES, readLines } from './read-lines.ts';
import type { Counter } from './tally.ts';

/** A finished file of lines, and the sorted hashes of its ids. */
export interface FinishedLines extends FileSum {
  hashes: Float64Array;
}

/** The parts of an assembly that `finish` needs. */
export interface FinishContext {
  /** Counted all objects; those that are dropped are removed from it. */
  counter: Counter;
  /** The id of the export with this number. */
  exportName: (source: number) => string;
  throwIfAborted: () => void;
}

/**
 * Makes the lines of a month. Objects are written to a scratch file as they come. When all came in the order of
 * (createdTime, id as bytes), each id once, that becomes the month's file. Otherwise the scratch file is read again
 * with an index, and its lines are copied in their order.
 */
export class MonthLines {
  readonly #job: AssemblyJob;
  readonly #hash: HashId;
  readonly #path: string;
  readonly #scratch: LinesWriter;
  readonly #hashes = new NumberList();
  /** The sources of the lines, in their order; `end` is the number of lines up to there. */
  readonly #runs: { source: number; end: number }[] = [];
  #lastTime = Number.NEGATIVE_INFINITY;
  #lastId = '';
  #isAscending = true;

  private constructor(job: AssemblyJob, hash: HashId, path: string, scratch: LinesWriter) {
    this.#job = job;
    this.#hash = hash;
    this.#path = path;
    this.#scratch = scratch;
  }

  static async begin(job: AssemblyJob, hash: HashId): Promise<MonthLines> {
    const path = `${job.output}.tmp`;
    return new MonthLines(job, hash, path, await LinesWriter.open(path, job.mode));
  }

  add(buffer: Buffer, start: number, end: number, members: Members): void {
    const { createdTime, id, hasBreaks } = members;
    if (createdTime <= this.#lastTime) this.#isAscending &&= this.#isNext(createdTime, id);
    this.#lastTime = createdTime;
    this.#lastId = id;
    this.#hashes.push(this.#hash(id));
    this.#scratch.addObject(buffer, start, end, hasBreaks);
  }

  #isNext(createdTime: number, id: string): boolean {
    if (createdTime < this.#lastTime) return false;
    return Buffer.compare(Buffer.from(id), Buffer.from(this.#lastId)) > 0;
  }

  /** @returns a function that removes what was added since. */
  mark(): () => Promise<void> {
    const mark = this.#scratch.mark();
    const { length } = this.#hashes;
    const [time, id, isAscending] = [this.#lastTime, this.#lastId, this.#isAscending];
    return async () => {
      await this.#scratch.rollback(mark);
      this.#hashes.cut(length);
      [this.#lastTime, this.#lastId, this.#isAscending] = [time, id, isAscending];
    };
  }

  /** Waits until few writes are in flight. @throws a system error */
  async drain(): Promise<void> {
    await this.#scratch.drain();
  }

  /** All objects since the last call came from `source`: `EXISTING`, or the number of an export, from 1. */
  endSource(source: number): void {
    this.#runs.push({ source, end: this.#hashes.length });
  }

  /** Frees a buffer when its objects are written. */
  freeWhenWritten(buffer: Buffer): void {
    this.#scratch.freeWhenWritten(buffer);
  }

  /** Finishes the month's file. @throws ExportError DUPLICATE_ID when one export holds an id twice. */
  async finish(context: FinishContext): Promise<FinishedLines> {
    const written = await this.#scratch.finish();
    // The hashes are not needed in the order of the lines any more.
    const hashes = this.#hashes.sorted();
    const repeated = findRepeated(hashes);
    if (!this.#isAscending || repeated.size > 0) return await this.#sort(hashes, repeated, context);
    if (this.#job.gzip) return { ...(await this.#copy([[0, written.bytes]], context)), hashes };
    await rename(this.#path, this.#job.output);
    return { ...written, hashes };
  }

  async #sort(
    hashes: Float64Array,
    repeated: ReadonlySet<number>,
    context: FinishContext,
  ): Promise<FinishedLines> {
    const index = await this.#makeIndex(hashes.length, context.throwIfAborted);
    const { kept, dropped } = index.resolve(
      (id) => repeated.has(this.#hash(id)),
      context.exportName,
    );
    await this.#uncount(index, dropped, context.counter);
    context.counter.setSpan(index.createdTime(kept[0]), index.createdTime(kept.at(-1)));
    const sum = await this.#copy(joinLines(index, kept), context);
    const left = Float64Array.from(kept, (i) => this.#hash(index.id(i))).sort();
    return { ...sum, hashes: left };
  }

  async #makeIndex(count: number, throwIfAborted: () => void): Promise<ObjectIndex> {
    const index = new ObjectIndex(count);
    let line = 0;
    let run = 0;
    await readLines(
      this.#path,
      false,
      (_buffer, start, end, members) => {
        while (line >= (this.#runs[run]?.end ?? Number.POSITIVE_INFINITY)) run++;
        line++;
        index.add(members, end - start + 1, this.#runs[run]?.source ?? 0);
      },
      throwIfAborted,
    );
    return index;
  }

  async #uncount(index: ObjectIndex, dropped: readonly number[], counter: Counter): Promise<void> {
    const reader = new ObjectReader('lines', (_buffer, _start, _end, m) => counter.remove(m));
    await using file = await openForReading(this.#path);
    for (const object of dropped) {
      const { start, end } = index.bounds(object);
      const { buffer } = await file.read(Buffer.allocUnsafe(end - start), 0, end - start, start);
      reader.push(buffer);
    }
    reader.end();
  }

  /** Copies pieces of the scratch file to the output, one after another. */
  async #copy(
    pieces: Iterable<readonly [start: number, end: number]>,
    { throwIfAborted }: FinishContext,
  ): Promise<FileSum> {
    await using file = await openForReading(this.#path);
    const chunks = async function* (): AsyncGenerator<Buffer, void, void> {
      for (const [start, end] of pieces)
        for (let position = start; position < end;) {
          throwIfAborted();
          const length = Math.min(CHUNK_BYTES, end - position);
          const { buffer, bytesRead } = await file.read(
            Buffer.allocUnsafe(length),
            0,
            length,
            position,
          );
          if (bytesRead === 0) throw new Error('a scratch file became shorter while it was read');
          yield buffer.subarray(0, bytesRead);
          position += bytesRead;
        }
    };
    return await writeContent(this.#job.output, chunks(), this.#job);
  }

  /** Closes and removes the scratch file. */
  async close(): Promise<void> {
    await this.#scratch.close();
    await rm(this.#path, { force: true });
  }
}

/** Lists the byte ranges of some lines; lines that follow one another are one piece. */
function* joinLines(
  index: ObjectIndex,
  lines: readonly number[],
): Generator<readonly [start: number, end: number], void, void> {
  let piece = { start: 0, end: 0 };
  for (const line of lines) {
    const { start, end } = index.bounds(line);
    if (start !== piece.end) {
      yield [piece.start, piece.end];
      piece = { start, end };
    } else piece.end = end;
  }
  yield [piece.start, piece.end];
}
