import { duplicateIdError } from '../errors.ts';
import type { Members } from '../json/members.ts';
import { grown, type HashId } from './ids.ts';

/** The source number of objects that were in the month's file before. */
export const EXISTING = 0;

/**
 * Where each object of a scratch file is, and what its order and its duplicates are decided by. About 60 bytes
 * an object.
 */
export class ObjectIndex {
  readonly #hash: HashId;
  #count = 0;
  #createdTimes = new Float64Array(1024);
  #modifiedTimes = new Float64Array(1024);
  #positions = new Float64Array(1024);
  #hashes = new Float64Array(1024);
  #lengths = new Uint32Array(1024);
  #sources = new Uint32Array(1024);
  /** Ids as UTF-8, one behind the other; the end of each. */
  #ids = Buffer.allocUnsafe(16 * 1024);
  #idEnds = new Uint32Array(1024);

  constructor(hash: HashId) {
    this.#hash = hash;
  }

  get count(): number {
    return this.#count;
  }

  /** @param source `EXISTING`, or the number of an export, from 1. */
  add(m: Members, position: number, length: number, source: number): void {
    const i = this.#count;
    if (i === this.#lengths.length) this.#grow();
    this.#createdTimes[i] = m.createdTime;
    this.#modifiedTimes[i] = m.modifiedTime;
    this.#positions[i] = position;
    this.#hashes[i] = this.#hash(m.id);
    this.#lengths[i] = length;
    this.#sources[i] = source;
    this.#idEnds[i] = this.#addId(m.id, this.#idStart(i));
    this.#count++;
  }

  cut(count: number): void {
    this.#count = count;
  }

  /** Null where there is no object. */
  createdTime(i: number | undefined): number | null {
    return i === undefined ? null : (this.#createdTimes[i] as number);
  }

  position(i: number): number {
    return this.#positions[i] as number;
  }

  length(i: number): number {
    return this.#lengths[i] as number;
  }

  /** Sorted hashes of the ids of some objects. */
  hashesOf(objects: readonly number[]): Float64Array {
    return Float64Array.from(objects, (i) => this.#hashes[i] as number).sort();
  }

  /**
   * Decides which objects stay: each id once, the newest `modifiedTime`, on a tie the one that was added later.
   * @returns those that stay in the order of (createdTime, id as bytes), and the others.
   * @throws ExportError DUPLICATE_ID when one export holds an id twice.
   */
  resolve(exportName: (source: number) => string): { kept: number[]; dropped: number[] } {
    const isDropped = this.#findDuplicates(exportName);
    const kept: number[] = [];
    const dropped: number[] = [];
    for (let i = 0; i < this.#count; i++) (isDropped[i] === 1 ? dropped : kept).push(i);
    const times = this.#createdTimes;
    kept.sort((a, b) => (times[a] as number) - (times[b] as number) || this.#compareIds(a, b));
    return { kept, dropped };
  }

  #findDuplicates(exportName: (source: number) => string): Uint8Array {
    const isDropped = new Uint8Array(this.#count);
    // Open addressing; a slot holds the number of an object plus one.
    const slots = new Uint32Array(2 ** Math.ceil(Math.log2(this.#count * 2 + 2)));
    const sources = this.#sources;
    for (let i = 0; i < this.#count; i++) {
      const slot = this.#findSlot(slots, i);
      const before = (slots[slot] as number) - 1;
      if (before < 0) {
        slots[slot] = i + 1;
        continue;
      }
      const source = sources[i] as number;
      if (source !== EXISTING && sources[before] === source)
        throw duplicateIdError(exportName(source), this.#id(i));
      if ((this.#modifiedTimes[before] as number) > (this.#modifiedTimes[i] as number)) {
        isDropped[i] = 1;
        // The next object of this id is compared with the last export that held it.
        sources[before] = source;
      } else {
        isDropped[before] = 1;
        slots[slot] = i + 1;
      }
    }
    return isDropped;
  }

  #findSlot(slots: Uint32Array, i: number): number {
    const mask = slots.length - 1;
    const hash = this.#hashes[i] as number;
    for (let slot = (hash | 0) & mask; ; slot = (slot + 1) & mask) {
      const other = (slots[slot] as number) - 1;
      if (other < 0) return slot;
      if (this.#hashes[other] === hash && this.#compareIds(other, i) === 0) return slot;
    }
  }

  #compareIds(a: number, b: number): number {
    const ids = this.#ids;
    return ids.compare(
      ids,
      this.#idStart(b),
      this.#idEnds[b],
      this.#idStart(a),
      this.#idEnds[a] as number,
    );
  }

  #id(i: number): string {
    return this.#ids.toString('utf8', this.#idStart(i), this.#idEnds[i]);
  }

  #idStart(i: number): number {
    return i === 0 ? 0 : (this.#idEnds[i - 1] as number);
  }

  /** @returns the end of the id. */
  #addId(id: string, start: number): number {
    // UTF-8 takes at most three bytes for a UTF-16 unit.
    const most = start + id.length * 3;
    if (most > this.#ids.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#ids.length * 2, most));
      this.#ids.copy(larger, 0, 0, start);
      this.#ids = larger;
    }
    return start + this.#ids.write(id, start);
  }

  #grow(): void {
    this.#createdTimes = grown(this.#createdTimes);
    this.#modifiedTimes = grown(this.#modifiedTimes);
    this.#positions = grown(this.#positions);
    this.#hashes = grown(this.#hashes);
    this.#lengths = grown(this.#lengths);
    this.#sources = grown(this.#sources);
    this.#idEnds = grown(this.#idEnds);
  }
}
