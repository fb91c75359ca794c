/**
 * A set of ids that knows for certain and stays small: about 25 bytes an id, where a Set of strings
 * needs 80. Open addressing over the ids' UTF-8 bytes, one behind the other, each after its length.
 */
export class IdSet {
  #bytes = Buffer.allocUnsafe(16 * 1024);
  #used = 0;
  /** Where an id is, plus one; 0 is free. */
  #slots = new Uint32Array(1024);
  #count = 0;

  /** @returns false when the id is in the set already. */
  add(id: string): boolean {
    const at = this.#used;
    const length = this.#put(id, at);
    const slot = this.#find(at, length);
    if (this.#slots[slot] !== 0) return false;
    this.#slots[slot] = at + 1;
    this.#used += length + 2;
    if (++this.#count * 2 > this.#slots.length) this.#grow();
    return true;
  }

  /** Writes an id behind the last one. Calls into Node cost more than the dozen bytes of an id. */
  #put(id: string, at: number): number {
    // No UTF-8 is longer.
    this.#reserve(id.length * 3 + 2);
    const bytes = this.#bytes;
    let length = 0;
    while (length < id.length) {
      const code = id.charCodeAt(length);
      if (code > 0x7f) break;
      bytes[at + 2 + length++] = code;
    }
    if (length < id.length) length = bytes.write(id, at + 2);
    if (length > 0xffff) throw new RangeError(`an id of ${length} bytes`);
    bytes[at] = length & 0xff;
    bytes[at + 1] = length >>> 8;
    return length;
  }

  #find(at: number, length: number): number {
    const bytes = this.#bytes;
    const mask = this.#slots.length - 1;
    let hash = 0x811c9dc5;
    for (let i = at + 2; i < at + 2 + length; i++)
      hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193);
    let slot = (hash ^ (hash >>> 15)) & mask;
    for (;;) {
      const taken = this.#slots[slot] as number;
      if (taken === 0) return slot;
      if (isSame(bytes, taken - 1, at, length + 2)) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #reserve(more: number): void {
    if (this.#used + more <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#used + more));
    this.#bytes.copy(larger, 0, 0, this.#used);
    this.#bytes = larger;
  }

  #grow(): void {
    this.#slots = new Uint32Array(this.#slots.length * 2);
    for (let at = 0; at < this.#used;) {
      const length = this.#bytes.readUInt16LE(at);
      this.#slots[this.#find(at, length)] = at + 1;
      at += length + 2;
    }
  }
}

/** Whether two ids are equal, their lengths included. */
function isSame(bytes: Buffer, a: number, b: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (bytes[a + i] !== bytes[b + i]) return false;
  return true;
}
