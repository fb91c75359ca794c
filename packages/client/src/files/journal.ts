import { existsSync } from 'node:fs';
import { open, readdir, readFile, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { EXPORT_TYPES, type ExportType } from '@tillroll/contract';
import { ExportError } from '../errors.ts';
import { makeDirectory, moveIntoPlace, removeFiles, syncDirectory, writeWhole } from './disk.ts';
import {
  absolute,
  JOURNAL,
  OWN,
  rangeKey,
  rangeOfKey,
  type Layout,
  type Place,
  type TypedRange,
} from './layout.ts';
import type { Format } from './pull-types.ts';
import type { Tally } from './tally.ts';

/** The version of the state's shape. */
const VERSION = 1;

export interface Source {
  url: string;
  merchant: string;
}

/** What a directory is, once and for all. */
export interface DirectoryHead {
  source: Source;
  format: Format;
  gzip: boolean;
  timezone: string;
}

export interface StoredFile {
  /** Relative to the directory, with `/`. */
  path: string;
  objects: number;
  bytes: number;
  sha256: string;
  first: number | null;
  last: number | null;
}

/** One served file of an export that is safely on disk. */
export interface Segment {
  exportId: string;
  position: number;
  key: string;
  /** createdTime and id of the first and the last object, and whether all between came in order. */
  firstKey: [number, string] | null;
  lastKey: [number, string] | null;
  isAscending: boolean;
  tally: Tally;
  /** JSON lines: where the segment ends in the file, and the SHA-256 of the file up to there. */
  end?: number;
  digest?: string;
  /** As served: the file itself. */
  file?: StoredFile;
}

/** A range that is complete. */
export interface DoneRange extends TypedRange {
  place: Place;
  exports: string[];
  tally: Tally;
  files: StoredFile[];
}

export interface ConvertedRecord {
  /** The keys and checksums of what the tables were made of. */
  basis: string;
  files: (StoredFile & { table: string })[];
}

type Line =
  | ({ is: 'directory'; version: number } & DirectoryHead)
  | { is: 'wanted'; type: ExportType; startTime: number; endTime: number }
  | { is: 'refresh'; type: ExportType; startTime: number | null }
  | { is: 'export'; range: string; id: string }
  | ({ is: 'segment'; range: string } & Segment)
  | { is: 'restart'; range: string }
  | { is: 'done'; range: DoneRange; moves: [string, string][]; replaces: DoneRange[] }
  | { is: 'dropped'; range: DoneRange }
  | ({ is: 'converted' } & ConvertedRecord);

interface Pending {
  exportId: string | undefined;
  segments: Segment[];
}

/**
 * What a directory holds and what is under way, as a file of JSON lines that only grows; reading it
 * again gives the same state. A last line that was cut off by a kill is passed over: what it would have
 * said is done again.
 */
export class Journal {
  readonly layout: Layout;
  readonly head: DirectoryHead;
  readonly #done = new Map<string, DoneRange>();
  readonly #pending = new Map<string, Pending>();
  readonly #wanted = new Map<ExportType, { startTime: number; endTime: number }>();
  readonly #refresh = new Map<ExportType, number>();
  #converted: ConvertedRecord | undefined;
  #file: FileHandle | undefined;
  #last: Promise<void> = Promise.resolve();

  private constructor(layout: Layout, head: DirectoryHead) {
    this.layout = layout;
    this.head = head;
  }

  /** What a directory is, or undefined when no pull has been there. @throws ExportError DIRECTORY */
  static async head(out: string): Promise<DirectoryHead | undefined> {
    const lines = await readLines(out);
    const first = lines?.[0];
    if (!first) return undefined;
    if (first.is !== 'directory' || first.version !== VERSION)
      throw new ExportError('DIRECTORY', `${out} was written by another version of Tillroll`, {
        hint: 'Pull into a new directory',
      });
    return {
      source: first.source,
      format: first.format,
      gzip: first.gzip,
      timezone: first.timezone,
    };
  }

  /** Whether anything came of the pulls that were there: until then a directory is bound to nothing. */
  static async isBegun(out: string): Promise<boolean> {
    const lines = (await readLines(out)) ?? [];
    return lines.some(({ is }) => is === 'export' || is === 'done');
  }

  /**
   * Opens or begins a directory's state, which the caller has locked.
   * @param goesOn false: what was noted before is of no use.
   */
  static async open(layout: Layout, head: DirectoryHead, goesOn = true): Promise<Journal> {
    const journal = new Journal(layout, head);
    const lines = (goesOn && (await readLines(layout.out))) || [];
    // What a commit promised is done before the next line is written: only the last one's may be left.
    const last = lines.findLastIndex(({ is }) => is === 'done' || is === 'dropped');
    for (const [i, line] of lines.entries()) await journal.#apply(line, i === last);
    await journal.#compact();
    return journal;
  }

  /** As `open`, but looks only; for those who hold no lock. */
  static async read(layout: Layout, head: DirectoryHead): Promise<Journal> {
    const journal = new Journal(layout, head);
    for (const line of (await readLines(layout.out)) ?? []) await journal.#apply(line, false);
    return journal;
  }

  done(place: Place, type?: ExportType): DoneRange[] {
    return [...this.#done.values()]
      .filter((range) => range.place === place && (type === undefined || range.type === type))
      .toSorted((a, b) => a.startTime - b.startTime);
  }

  get(place: Place, range: TypedRange): DoneRange | undefined {
    return this.#done.get(`${place}:${rangeKey(range)}`);
  }

  pending(range: TypedRange): Readonly<Pending> {
    return this.#pending.get(rangeKey(range)) ?? { exportId: undefined, segments: [] };
  }

  /** The ranges of which something was begun. */
  get begun(): TypedRange[] {
    return [...this.#pending.keys()].map(rangeOfKey);
  }

  wanted(type: ExportType): { startTime: number; endTime: number } | undefined {
    return this.#wanted.get(type);
  }

  /** From where on a type has still to be fetched again, or undefined. */
  refresh(type: ExportType): number | undefined {
    return this.#refresh.get(type);
  }

  get converted(): ConvertedRecord | undefined {
    return this.#converted;
  }

  async setWanted(type: ExportType, startTime: number, endTime: number): Promise<void> {
    await this.#append({ is: 'wanted', type, startTime, endTime });
  }

  async setRefresh(type: ExportType, startTime: number | null): Promise<void> {
    await this.#append({ is: 'refresh', type, startTime });
  }

  async exportCreated(range: TypedRange, id: string): Promise<void> {
    await this.#append({ is: 'export', range: rangeKey(range), id });
  }

  async segmentDone(range: TypedRange, segment: Segment): Promise<void> {
    await this.#append({ is: 'segment', range: rangeKey(range), ...segment });
  }

  /** What was fetched of a range so far is of no use. */
  async restart(range: TypedRange): Promise<void> {
    await this.#append({ is: 'restart', range: rangeKey(range) });
  }

  /**
   * Commits a range: from here on it is complete, whatever happens. Its files lie synced under other
   * names (`moves`, relative); those of `replaces` go.
   */
  async rangeDone(
    range: DoneRange,
    moves: [string, string][],
    replaces: readonly DoneRange[] = [],
  ): Promise<void> {
    await this.#append({ is: 'done', range, moves, replaces: [...replaces] }, true);
  }

  /** Removes a range that is not wanted any more. */
  async drop(range: DoneRange): Promise<void> {
    await this.#append({ is: 'dropped', range }, true);
  }

  async setConverted(converted: ConvertedRecord): Promise<void> {
    await this.#append({ is: 'converted', ...converted }, true);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#last.catch(() => undefined);
    await this.#file?.close();
    this.#file = undefined;
  }

  async #append(line: Line, isCommit = false): Promise<void> {
    const turn = this.#last.then(async () => {
      if (!this.#file) throw new Error('the journal is closed');
      await this.#file.appendFile(`${JSON.stringify(line)}\n`);
      if (isCommit) await this.#file.datasync();
      await this.#apply(line, true);
    });
    // Nothing is written behind a line that may be half there, or whose promise is not kept yet.
    this.#last = turn;
    await turn;
  }

  /** @param acts whether files are moved and removed as the line says. */
  async #apply(line: Line, acts: boolean): Promise<void> {
    switch (line.is) {
      case 'directory':
        return;
      case 'wanted':
        this.#wanted.set(line.type, { startTime: line.startTime, endTime: line.endTime });
        return;
      case 'refresh':
        if (line.startTime === null) this.#refresh.delete(line.type);
        else this.#refresh.set(line.type, line.startTime);
        return;
      case 'export':
        this.#pending.set(line.range, { exportId: line.id, segments: [] });
        return;
      case 'segment': {
        const { is: _is, range, ...segment } = line;
        const segments = this.#pending.get(range)?.segments ?? [];
        // Fetched again where the one before was found damaged: it takes its place.
        const before = segments.findIndex(({ position }) => position === segment.position);
        segments[before < 0 ? segments.length : before] = segment;
        return;
      }
      case 'restart':
        this.#pending.delete(line.range);
        return;
      case 'done': {
        const { range, moves, replaces } = line;
        for (const old of replaces) this.#done.delete(`${old.place}:${rangeKey(old)}`);
        this.#done.set(`${range.place}:${rangeKey(range)}`, range);
        this.#pending.delete(rangeKey(range));
        if (acts) await this.#settle(moves, replaces);
        return;
      }
      case 'dropped':
        this.#done.delete(`${line.range.place}:${rangeKey(line.range)}`);
        if (acts) await this.#settle([], [line.range]);
        return;
      case 'converted':
        this.#converted = { basis: line.basis, files: line.files };
        return;
      default:
        line satisfies never;
    }
  }

  /** Does what a commit promised; again after a kill, for as much as is left of it. */
  async #settle(moves: [string, string][], replaced: readonly DoneRange[]): Promise<void> {
    for (const [part, final] of moves) {
      const from = absolute(this.layout, part);
      if (part !== final && existsSync(from))
        await moveIntoPlace(from, absolute(this.layout, final));
    }
    const kept = new Set(
      [...this.#done.values()].flatMap(({ files }) => files.map(({ path }) => path)),
    );
    const gone = replaced
      .flatMap(({ files }) => files.map(({ path }) => path))
      .filter((path) => !kept.has(path));
    await removeFiles(gone.map((path) => absolute(this.layout, path)));
    for (const folder of new Set(gone.map((path) => dirname(absolute(this.layout, path)))))
      await removeIfEmpty(folder);
  }

  /** Writes the state as short as it is, so that a directory may be pulled into every day for years. */
  async #compact(): Promise<void> {
    const lines: Line[] = [{ is: 'directory', version: VERSION, ...this.head }];
    for (const type of EXPORT_TYPES) {
      const wanted = this.#wanted.get(type);
      if (wanted) lines.push({ is: 'wanted', type, ...wanted });
      const refresh = this.#refresh.get(type);
      if (refresh !== undefined) lines.push({ is: 'refresh', type, startTime: refresh });
    }
    for (const range of this.#done.values())
      lines.push({ is: 'done', range, moves: [], replaces: [] });
    for (const [range, { exportId, segments }] of this.#pending) {
      if (exportId !== undefined) lines.push({ is: 'export', range, id: exportId });
      for (const segment of segments) lines.push({ is: 'segment', range, ...segment });
    }
    if (this.#converted) lines.push({ is: 'converted', ...this.#converted });
    const path = absolute(this.layout, JOURNAL);
    await makeDirectory(dirname(path));
    await writeWhole(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    this.#file = await open(path, 'a');
  }
}

async function removeIfEmpty(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => ['unknown']);
  if (names.length === 0) await rm(folder, { recursive: true, force: true });
}

async function readLines(out: string): Promise<Line[] | undefined> {
  let text: string;
  try {
    text = await readFile(absolute({ out }, JOURNAL), 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? ''))
      return undefined;
    throw error;
  }
  const lines: Line[] = [];
  for (const line of text.split('\n')) {
    if (line === '') continue;
    try {
      lines.push(JSON.parse(line) as Line);
    } catch {
      // Cut off by a kill. Only the last line can be.
      break;
    }
  }
  return lines;
}

/** Makes the directory's own folder; refuses one that holds anything else. @throws ExportError DIRECTORY */
export async function prepareDirectory(out: string, isKnown: boolean): Promise<void> {
  await makeDirectory(out);
  if (!isKnown) {
    const others = (await readdir(out)).filter((name) => !name.startsWith('.'));
    if (others.length > 0)
      throw new ExportError(
        'DIRECTORY',
        `${out} holds other things: ${others.slice(0, 3).join(', ')}`,
        {
          hint: 'Choose a new or an empty directory',
        },
      );
  }
  await makeDirectory(absolute({ out }, OWN));
  await syncDirectory(out);
}
