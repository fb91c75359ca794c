import { closeSync } from 'node:fs';
import { join } from 'node:path';
import type { Members } from '../json/members.ts';
import { ObjectReader } from '../json/object-reader.ts';
import { CHUNK_BYTES, openForReading, readBytes } from './files.ts';
import type { HashId } from './ids.ts';
import type { AssemblyJob } from './job.ts';
import type { FinishContext, FinishedLines, LinesTarget } from './lines-target.ts';
import { LinesWriter } from './lines-writer.ts';
import { ObjectIndex } from './object-index.ts';
import type { Counter } from './tally.ts';

/** Collects objects in a scratch file with an index, and writes each id once to the output, sorted. */
export class SortedLines implements LinesTarget {
  readonly #job: AssemblyJob;
  readonly #path: string;
  readonly #scratch: LinesWriter;
  readonly #index: ObjectIndex;

  constructor(job: AssemblyJob, hash: HashId) {
    this.#job = job;
    this.#path = join(job.scratch, 'objects');
    this.#scratch = new LinesWriter(this.#path, { gzip: false, mode: 0o600 });
    this.#index = new ObjectIndex(hash);
  }

  add(buffer: Buffer, start: number, end: number, members: Members, source: number): void {
    const position = this.#scratch.length;
    const length = this.#scratch.object(buffer, start, end, members.hasBreaks);
    this.#index.add(members, position, length, source);
  }

  mark(): () => void {
    const mark = this.#scratch.mark();
    const { count } = this.#index;
    return () => {
      this.#scratch.rollback(mark);
      this.#index.cut(count);
    };
  }

  /** @throws ExportError DUPLICATE_ID when one export holds an id twice. */
  finish({ counter, exportName, throwIfAborted }: FinishContext): FinishedLines {
    this.#scratch.finish();
    const index = this.#index;
    const { kept, dropped } = index.resolve(exportName);
    const output = new LinesWriter(this.#job.output, this.#job);
    const fd = openForReading(this.#path);
    try {
      this.#uncount(fd, dropped, counter);
      counter.setSpan(index.createdTime(kept[0]), index.createdTime(kept.at(-1)));
      for (let i = 0; i < kept.length;) {
        throwIfAborted();
        const { next, start, end } = this.#run(kept, i);
        copyLines(fd, start, end, output);
        i = next;
      }
      return { ...output.finish(), hashes: index.hashesOf(kept) };
    } finally {
      output.close();
      closeSync(fd);
    }
  }

  /** Objects that are neighbours in the scratch file as well as in the order. */
  #run(kept: readonly number[], from: number): { next: number; start: number; end: number } {
    const index = this.#index;
    const start = index.position(kept[from] as number);
    let end = start;
    let next = from;
    for (; next < kept.length; next++) {
      const object = kept[next] as number;
      if (index.position(object) !== end) break;
      end += index.length(object) + 1;
    }
    return { next, start, end };
  }

  #uncount(fd: number, dropped: readonly number[], counter: Counter): void {
    const reader = new ObjectReader('lines', (_buffer, _start, _end, m) => counter.remove(m));
    for (const object of dropped)
      reader.push(readBytes(fd, this.#index.length(object) + 1, this.#index.position(object)));
    reader.end();
  }

  close(): void {
    this.#scratch.close();
  }
}

function copyLines(fd: number, start: number, end: number, output: LinesWriter): void {
  for (let position = start; position < end;) {
    const bytes = readBytes(fd, Math.min(CHUNK_BYTES, end - position), position);
    if (bytes.length === 0) throw new Error('a scratch file became shorter while it was read');
    output.lines(bytes);
    position += bytes.length;
  }
}
