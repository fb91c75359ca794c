/** Id indexes: the sorted hashes of a month's ids, in memory and on disk. */
import { openForReading } from '../disk/entries.ts';
import { findErrno } from '../disk/errors.ts';
import { openForWriting } from '../disk/write.ts';

/** A hash of an id. */
export type HashId = (id: string) => number;

/**
 * Hashes an id to 53 bits, over its UTF-16 units. Id indexes on disk hold these hashes, so the function must not
 * change. Two ids may share a hash, so it only proves that ids differ.
 */
export function hashId(id: string): number {
  let a = 0xdeadbeef;
  let b = 0x41c6ce57;
  for (let i = 0; i < id.length; i++) {
    const unit = id.charCodeAt(i);
    a = Math.imul(a ^ unit, 2_654_435_761);
    b = Math.imul(b ^ unit, 1_597_334_677);
  }
  a = Math.imul(a ^ (a >>> 16), 2_246_822_507) ^ Math.imul(b ^ (b >>> 13), 3_266_489_909);
  b = Math.imul(b ^ (b >>> 16), 2_246_822_507) ^ Math.imul(a ^ (a >>> 13), 3_266_489_909);
  return 4_294_967_296 * (b & 0x1fffff) + (a >>> 0);
}

/** A growing list of numbers, eight bytes each. */
export class NumberList {
  #values = new Float64Array(4096);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(value: number): void {
    if (this.#length === this.#values.length) {
      const larger = new Float64Array(this.#length * 2);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.#length++] = value;
  }

  cut(length: number): void {
    this.#length = length;
  }

  /** Sorts in place. @returns a view, valid until the next `push`. */
  sorted(): Float64Array {
    return this.#values.subarray(0, this.#length).sort();
  }
}

/** Finds the numbers that are there more than once. */
export function findRepeated(sorted: Float64Array): Set<number> {
  const repeated = new Set<number>();
  for (let i = 1; i < sorted.length; i++)
    if (sorted[i] === sorted[i - 1]) repeated.add(sorted[i] as number);
  return repeated;
}

/** Writes sorted hashes as Float64, little-endian. */
export async function writeIdIndex(
  path: string,
  sorted: Float64Array,
  mode: number,
): Promise<void> {
  await using file = await openForWriting(path, mode);
  await file.writeFile(new Uint8Array(sorted.buffer, sorted.byteOffset, sorted.byteLength));
}

/** Reads an id index. @returns undefined when the file is missing or does not hold sorted numbers. */
export async function readIdIndex(path: string): Promise<Float64Array | undefined> {
  let bytes: Buffer;
  try {
    await using file = await openForReading(path);
    bytes = await file.readFile();
  } catch (error) {
    if (findErrno(error) === 'ENOENT') return undefined;
    throw error;
  }
  if (bytes.length % Float64Array.BYTES_PER_ELEMENT !== 0) return undefined;
  // A copy of its own is aligned.
  const ids = new Float64Array(new Uint8Array(bytes).buffer);
  return ids.every((id, i) => i === 0 || id >= (ids[i - 1] as number)) ? ids : undefined;
}
