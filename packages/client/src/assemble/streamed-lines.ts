import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Members } from '../json/members.ts';
import { hasEqualNeighbours, NumberList, type HashId } from './ids.ts';
import type { AssemblyJob } from './job.ts';
import type { FinishedLines, LinesTarget } from './lines-target.ts';
import { LinesWriter } from './lines-writer.ts';
import { EXISTING } from './object-index.ts';
import { readLinesSync } from './read-lines.ts';
import { SortedLines } from './sorted-lines.ts';

/** Writes objects to the output as they come: right when they come in the order of (createdTime, id as bytes). */
export class StreamedLines implements LinesTarget {
  readonly #job: AssemblyJob;
  readonly #hash: HashId;
  readonly #writer: LinesWriter;
  readonly #hashes = new NumberList();
  /** The sources of the lines, in their order; `end` is the number of lines up to there. */
  readonly #runs: { source: number; end: number }[] = [];
  #lastTime = Number.NEGATIVE_INFINITY;
  #lastId = '';
  #isAscending = true;

  constructor(job: AssemblyJob, hash: HashId) {
    this.#job = job;
    this.#hash = hash;
    this.#writer = new LinesWriter(job.output, job);
  }

  /** Whether all objects came in their order. */
  get isAscending(): boolean {
    return this.#isAscending;
  }

  add(buffer: Buffer, start: number, end: number, members: Members): void {
    const { createdTime, id, hasBreaks } = members;
    if (createdTime <= this.#lastTime) this.#isAscending &&= this.#isNext(createdTime, id);
    this.#lastTime = createdTime;
    this.#lastId = id;
    this.#hashes.push(this.#hash(id));
    this.#writer.object(buffer, start, end, hasBreaks);
  }

  #isNext(createdTime: number, id: string): boolean {
    if (createdTime < this.#lastTime) return false;
    return Buffer.compare(Buffer.from(id), Buffer.from(this.#lastId)) > 0;
  }

  mark(): () => void {
    const mark = this.#writer.mark();
    const { length } = this.#hashes;
    const time = this.#lastTime;
    const id = this.#lastId;
    return () => {
      this.#writer.rollback(mark);
      this.#hashes.cut(length);
      this.#lastTime = time;
      this.#lastId = id;
      this.#isAscending = true;
    };
  }

  /** All objects that were added since the last call came from `source`. */
  endPart(source: number): void {
    this.#runs.push({ source, end: this.#hashes.length });
  }

  /** @returns undefined when an id may be there twice: sort the lines then. */
  finish(): FinishedLines | undefined {
    // The hashes are not needed in the order of the lines any more.
    const hashes = this.#hashes.sorted();
    return hasEqualNeighbours(hashes) ? undefined : { ...this.#writer.finish(), hashes };
  }

  /** Moves the lines that were written so far to a scratch file, in their order. */
  async toSorted(throwIfAborted: () => void): Promise<SortedLines> {
    const { output, scratch, gzip } = this.#job;
    this.#writer.finish();
    const arrived = join(scratch, 'arrived');
    renameSync(output, arrived);
    const sorted = new SortedLines(this.#job, this.#hash);
    let line = 0;
    let run = 0;
    const takeSource = (): number => {
      while (line >= (this.#runs[run]?.end ?? Number.POSITIVE_INFINITY)) run++;
      line++;
      return this.#runs[run]?.source ?? EXISTING;
    };
    try {
      await readLinesSync(
        arrived,
        gzip,
        (buffer, start, end, members) => sorted.add(buffer, start, end, members, takeSource()),
        throwIfAborted,
      );
    } catch (error) {
      sorted.close();
      throw error;
    }
    rmSync(arrived);
    return sorted;
  }

  close(): void {
    this.#writer.close();
  }
}
