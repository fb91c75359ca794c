/** Sorts the objects of a scratch file and finds repeated ids, without reading them again. */
import { duplicateIdError } from '../errors.ts';
import type { Members } from '../json/members.ts';

/** The source number of objects that were in the month's file before. */
export const EXISTING = 0;

/** Lines of a scratch file, in the order of (createdTime, id as bytes), each id once. */
export interface ResolvedLines {
  kept: number[];
  /** Objects whose id another one has as well. */
  dropped: number[];
}

/** Index of a scratch file: positions of its objects, and the members that decide their order and duplicates. */
export class ObjectIndex {
  #count = 0;
  #end = 0;
  readonly #createdTimes: Float64Array;
  readonly #modifiedTimes: Float64Array;
  /** Offsets of the objects' first bytes; one more for the end of the file. */
  readonly #positions: Float64Array;
  readonly #sources: Uint32Array;
  readonly #ids: string[] = [];

  /** @param count how many objects will be added. */
  constructor(count: number) {
    this.#createdTimes = new Float64Array(count);
    this.#modifiedTimes = new Float64Array(count);
    this.#positions = new Float64Array(count + 1);
    this.#sources = new Uint32Array(count);
  }

  /** Adds the next line of the file. @param length with the end of the line. @param source see `MonthLines.endSource`. */
  add({ id, createdTime, modifiedTime }: Members, length: number, source: number): void {
    const i = this.#count++;
    this.#createdTimes[i] = createdTime;
    this.#modifiedTimes[i] = modifiedTime;
    this.#sources[i] = source;
    this.#ids[i] = id;
    this.#end += length;
    this.#positions[i + 1] = this.#end;
  }

  id(i: number): string {
    return this.#ids[i] as string;
  }

  /** Null where there is no object. */
  createdTime(i: number | undefined): number | null {
    return i === undefined ? null : (this.#createdTimes[i] as number);
  }

  /** The bytes of a line, its end included. */
  bounds(i: number): { start: number; end: number } {
    return { start: this.#positions[i] as number, end: this.#positions[i + 1] as number };
  }

  /**
   * Decides which objects stay: each id once, the newest `modifiedTime`, on a tie the one that was added later.
   * @param mayRepeat false only for an id that is certainly there once.
   * @throws ExportError DUPLICATE_ID when one export holds an id twice.
   */
  resolve(
    mayRepeat: (id: string) => boolean,
    exportName: (source: number) => string,
  ): ResolvedLines {
    const isDropped = this.#findDuplicates(mayRepeat, exportName);
    const kept: number[] = [];
    const dropped: number[] = [];
    for (let i = 0; i < this.#count; i++) (isDropped.has(i) ? dropped : kept).push(i);
    const times = this.#createdTimes;
    kept.sort(
      (a, b) =>
        (times[a] as number) - (times[b] as number) ||
        Buffer.compare(Buffer.from(this.id(a)), Buffer.from(this.id(b))),
    );
    return { kept, dropped };
  }

  #findDuplicates(
    mayRepeat: (id: string) => boolean,
    exportName: (source: number) => string,
  ): Set<number> {
    const isDropped = new Set<number>();
    /** For each id, the object kept so far and the last export that held it. */
    const found = new Map<string, { object: number; source: number }>();
    for (const [i, id] of this.#ids.entries()) {
      if (!mayRepeat(id)) continue;
      const source = this.#sources[i] as number;
      const before = found.get(id);
      if (before && source !== EXISTING && before.source === source)
        throw duplicateIdError(exportName(source), id);
      const isOlder =
        before !== undefined &&
        (this.#modifiedTimes[before.object] as number) > (this.#modifiedTimes[i] as number);
      if (before) isDropped.add(isOlder ? i : before.object);
      found.set(id, { object: isOlder ? before.object : i, source });
    }
    return isDropped;
  }
}
