/** Assembles one month inside the worker thread. */
import { rm } from 'node:fs/promises';
import { ContentChecker } from '../download/check-content.ts';
import { interruptedError } from '../http/retry.ts';
import type { OnObject } from '../json/object-reader.ts';
import { Zone } from '../time/zone.ts';
import { hashId, writeIdIndex, type HashId } from './id-index.ts';
import type { AddedPart, AssembledFile, AssemblyJob, PartInput } from './job.ts';
import { MonthLines } from './month-lines.ts';
import { EXISTING } from './object-index.ts';
import { readExisting } from './read-lines.ts';
import { readPartAhead, readContent, type PartContent } from './read-part.ts';
import { addTally, Counter } from './tally.ts';

/** Options of `Assembly.begin`. */
export interface AssemblyOptions {
  /** Asked often; true ends the assembly with INTERRUPTED. */
  isAborted?: (() => boolean) | undefined;
  /** Replaces the hash of ids, in tests. */
  hash?: HashId | undefined;
}

/** Makes a month's file from its parts and from the file that is there, in the thread that calls it. */
export class Assembly {
  readonly #job: AssemblyJob;
  readonly #zone: Zone;
  readonly #isAborted: () => boolean;
  readonly #exclude: ReadonlySet<string>;
  /** Counts of all objects so far. */
  readonly #counter: Counter;
  /** The position of an export's id in this list, from 1, is the number of a source. */
  readonly #exports: string[] = [];
  readonly #lines: MonthLines;

  private constructor(job: AssemblyJob, lines: MonthLines, isAborted = (): boolean => false) {
    this.#job = job;
    this.#zone = new Zone(job.timezone);
    this.#isAborted = isAborted;
    this.#exclude = new Set(job.exclude);
    this.#counter = this.#newCounter();
    this.#lines = lines;
  }

  /** Begins a month's file with the objects of the existing one. @throws ExportError DIRECTORY when that was altered. */
  static async begin(job: AssemblyJob, options: AssemblyOptions = {}): Promise<Assembly> {
    const { isAborted, hash = hashId } = options;
    const assembly = new Assembly(job, await MonthLines.begin(job, hash), isAborted);
    try {
      await assembly.#addExisting();
      return assembly;
    } catch (error) {
      await assembly.abort();
      throw error;
    }
  }

  async #addExisting(): Promise<void> {
    if (!this.#job.existing) return;
    await readExisting(
      this.#job.existing,
      (buffer, start, end, members) => {
        if (this.#exclude.has(members.id)) return;
        this.#counter.add(members);
        this.#lines.add(buffer, start, end, members);
      },
      this.#throwIfAborted,
    );
    this.#lines.endSource(EXISTING);
  }

  /**
   * Adds the objects of a part.
   * @param ahead the content, where it was read before this part's turn.
   * @throws ExportError BAD_FILE: nothing of the part is kept, and it may be added again.
   */
  async add(part: PartInput, ahead?: Promise<PartContent>): Promise<AddedPart> {
    const content = await (ahead ?? readPartAhead(part));
    const source = this.#findSource(part.exportId);
    await this.#lines.drain();
    const undo = this.#lines.mark();
    const counter = this.#newCounter();
    let added: AddedPart;
    try {
      added = await this.#read(part, content, counter);
    } catch (error) {
      await undo();
      throw error;
    }
    addTally(this.#counter.tally, counter.tally);
    this.#lines.endSource(source);
    if (content.whole) this.#lines.freeWhenWritten(content.whole);
    return added;
  }

  async #read(part: PartInput, content: PartContent, counter: Counter): Promise<AddedPart> {
    const { dropsAt } = this.#job;
    const lines = this.#lines;
    const onObject: OnObject = (buffer, start, end, members) => {
      if (members.createdTime === dropsAt) return;
      if (this.#exclude.size > 0 && this.#exclude.has(members.id)) return;
      counter.add(members);
      lines.add(buffer, start, end, members);
    };
    const checker = new ContentChecker(part.expected, onObject, content.sha256);
    await readContent(part, content, async (chunk) => {
      this.#throwIfAborted();
      checker.push(chunk);
      if (!content.whole) await lines.drain();
    });
    const { objects, bytes } = checker.end();
    return { objects, bytes };
  }

  /** Finishes the file and its id index. @throws ExportError DUPLICATE_ID when one export holds an id twice. */
  async finish(): Promise<AssembledFile> {
    const lines = await this.#lines.finish({
      counter: this.#counter,
      exportName: (source) => this.#exports[source - 1] ?? '',
      throwIfAborted: this.#throwIfAborted,
    });
    await this.#lines.close();
    const { ids, mode } = this.#job;
    await writeIdIndex(ids, lines.hashes, mode);
    const { tally } = this.#counter;
    const { objects, first, last } = tally;
    return { objects, bytes: lines.bytes, sha256: lines.sha256, first, last, tally };
  }

  /** Closes open files and removes the unfinished ones. */
  async abort(): Promise<void> {
    await this.#lines.close();
    for (const path of [this.#job.output, this.#job.ids]) await rm(path, { force: true });
  }

  #newCounter(): Counter {
    return new Counter(this.#job.type, this.#job.covers, this.#zone);
  }

  #findSource(exportId: string): number {
    const known = this.#exports.indexOf(exportId);
    return known >= 0 ? known + 1 : this.#exports.push(exportId);
  }

  readonly #throwIfAborted = (): void => {
    if (this.#isAborted()) throw interruptedError();
  };
}
