import { randomUUID } from 'node:crypto';
import { open, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { OBJECTS_PER_FILE } from '@tillroll/contract';
import { throwIfAborted } from '../http/backoff.ts';
import { ObjectReader } from '../json/object-reader.ts';
import type { Zone } from '../zone.ts';
import { makeDirectory, removeFiles } from './disk.ts';
import type { DoneRange, Journal } from './journal.ts';
import {
  absolute,
  isServed,
  type Layout,
  linesPath,
  MERGE,
  rangeName,
  servedFolder,
  type TypedRange,
} from './layout.ts';
import { LinesStore } from './lines-store.ts';
import type { RangeStore } from './range-store.ts';
import { contentOf, ServedStore } from './served-store.ts';
import { takeFile } from './take-file.ts';
import { addTally, emptyTally } from './tally.ts';

/** Some of the objects of a range that is complete. */
export interface MergeInput {
  range: DoneRange;
  keep?: (createdTime: number) => boolean;
}

export interface Merge {
  journal: Journal;
  /** Later ones win where two objects of one id are equally new. */
  inputs: readonly MergeInput[];
  /** What comes out; its export ids are those of all inputs. */
  into: TypedRange;
  zone: Zone;
  signal: AbortSignal;
}

interface Entry {
  time: number;
  id: string;
  modified: number;
  /** Which file, and where in its inflated bytes. */
  file: number;
  at: number;
  length: number;
}

const COPY_BYTES = 1024 * 1024;

/**
 * Makes one range of the objects of others: each id once, the newest `modifiedTime` of it, in the order
 * of createdTime and id. Reads them once for an index (about 150 bytes an object), then copies.
 * @returns the range, to be committed by the caller.
 */
export async function merge(
  merging: Merge,
): Promise<{ done: DoneRange; moves: [string, string][] }> {
  const { journal, inputs, into, zone, signal } = merging;
  const { type, startTime, endTime } = into;
  const { layout } = journal;
  await rm(absolute(layout, MERGE), { recursive: true, force: true });
  // A name of its own: what a commit promised to move from here must never be the half of a later merge.
  const scratch = `${MERGE}/${randomUUID()}`;
  await makeDirectory(absolute(layout, scratch));
  const inputFiles = new InputFiles(!isServed(layout));
  try {
    const entries = await indexOf(merging, inputFiles, absolute(layout, scratch));
    const store = await openStore(journal, into, scratch);
    const tally = emptyTally();
    try {
      const groups = Math.ceil(entries.length / OBJECTS_PER_FILE);
      for (let position = 0; position < groups; position++) {
        throwIfAborted(signal);
        const group = entries.slice(position * OBJECTS_PER_FILE, (position + 1) * OBJECTS_PER_FILE);
        const writer = store.begin(position);
        const taken = await takeFile(inputFiles.envelope(group), into, zone, writer);
        await writer.commit(async () => addTally(tally, taken.tally), taken.tally);
      }
      const made = await store.finish();
      const finalOf = (aside: string): string => finalPath(layout, into, aside);
      const files = made.files.map((file) => ({ ...file, path: finalOf(file.path) }));
      const exports = [...new Set(inputs.flatMap(({ range }) => range.exports))];
      return {
        done: { type, startTime, endTime, place: 'final', exports, tally, files },
        moves: made.files.map(({ path }) => [store.partOf(path), finalOf(path)]),
      };
    } finally {
      await store.close();
    }
  } finally {
    await inputFiles.close();
  }
}

/** Everything is made aside and moved together: an input may have the very name of the output. */
async function openStore(journal: Journal, into: TypedRange, scratch: string): Promise<RangeStore> {
  const { layout } = journal;
  const none = (): ObjectReader => new ObjectReader('lines', () => undefined);
  const aside = `${scratch}/${rangeName(into)}`;
  if (isServed(layout)) return (await ServedStore.open(layout, aside, [], none)).store;
  return (await LinesStore.open(layout, aside, [], none())).store;
}

/** Where a file that was made aside belongs. */
function finalPath(layout: Layout, into: TypedRange, aside: string): string {
  if (!isServed(layout)) return linesPath(layout, 'final', into);
  return `${servedFolder(layout, 'final', into)}/${aside.split('/').at(-1)}`;
}

async function indexOf(
  { journal: { layout }, inputs }: Merge,
  files: InputFiles,
  scratch: string,
): Promise<Entry[]> {
  const byId = new Map<string, Entry>();
  for (const { range, keep } of inputs) {
    for (const stored of range.files) {
      const path = absolute(layout, stored.path);
      const file = await files.add(path, layout.gzip, scratch);
      const reader = new ObjectReader(
        isServed(layout) ? 'elements' : 'lines',
        (_buffer, start, end, { id, createdTime: time, modifiedTime: modified }) => {
          if (keep && !keep(time)) return;
          const before = byId.get(id);
          if (before && before.modified > modified) return;
          const at = reader.base + start;
          byId.set(id, { time, id, modified, file, at, length: end - start });
        },
      );
      for await (const chunk of contentOf(path, layout.gzip)) reader.push(chunk);
      reader.end();
    }
  }
  return [...byId.values()].toSorted(
    (a, b) => a.time - b.time || Buffer.compare(Buffer.from(a.id), Buffer.from(b.id)),
  );
}

/** The inputs' bytes at any place. What is gzip is inflated into the scratch folder first. */
class InputFiles {
  readonly #handles: FileHandle[] = [];
  readonly #inflated: string[] = [];
  readonly #areLines: boolean;

  constructor(areLines: boolean) {
    this.#areLines = areLines;
  }

  async add(path: string, isGzip: boolean, scratch: string): Promise<number> {
    let plain = path;
    if (isGzip) {
      plain = `${scratch}/${this.#handles.length}.plain`;
      this.#inflated.push(plain);
      await makeDirectory(dirname(plain));
      const file = await open(plain, 'w');
      try {
        await file.writeFile(contentOf(path, true));
      } finally {
        await file.close();
      }
    }
    return this.#handles.push(await open(plain, 'r')) - 1;
  }

  /** The objects as a file as served, in pieces that belong to the taker. */
  async *envelope(entries: readonly Entry[]): AsyncGenerator<Uint8Array, void, void> {
    yield Buffer.from('{"elements":[');
    for (let i = 0; i < entries.length;) {
      const run = runFrom(entries, i);
      if (i > 0) yield Buffer.from(',');
      yield* this.#read(entries[i] as Entry, run.length);
      i += run.count;
    }
    yield Buffer.from(']}');
  }

  async *#read({ file, at }: Entry, length: number): AsyncGenerator<Uint8Array, void, void> {
    for (let done = 0; done < length;) {
      const piece = Buffer.allocUnsafe(Math.min(COPY_BYTES, length - done));
      const { bytesRead } = (await this.#handles[file]?.read(
        piece,
        0,
        piece.length,
        at + done,
      )) ?? { bytesRead: 0 };
      if (bytesRead === 0) throw new Error('a file became shorter while it was read');
      // Between neighbours stands what separates them in their file.
      const bytes = piece.subarray(0, bytesRead);
      yield this.#areLines ? separated(bytes) : bytes;
      done += bytesRead;
    }
  }

  async close(): Promise<void> {
    for (const handle of this.#handles) await handle.close();
    await removeFiles(this.#inflated);
  }
}

const LF = 10;
const COMMA = 44;

/** Line ends become commas. Inside an object there are none: lines were written without. */
function separated(bytes: Buffer): Buffer {
  for (let at = bytes.indexOf(LF); at >= 0; at = bytes.indexOf(LF, at + 1)) bytes[at] = COMMA;
  return bytes;
}

/** How many entries follow one another in their file with one byte between them, and their length. */
function runFrom(entries: readonly Entry[], from: number): { count: number; length: number } {
  const first = entries[from] as Entry;
  let end = first.at + first.length;
  let count = 1;
  for (; from + count < entries.length; count++) {
    const next = entries[from + count] as Entry;
    if (next.file !== first.file || next.at !== end + 1) break;
    end = next.at + next.length;
  }
  return { count, length: end - first.at };
}
