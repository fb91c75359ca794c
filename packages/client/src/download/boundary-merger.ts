/** Gives objects on the boundary of two exports once, where a service gives them twice. */

/** Members that both orders and payments have. */
export interface Keyed {
  id: string;
  createdTime: number;
  modifiedTime?: number;
}

/**
 * Merges the objects on the boundary of two ranges. A service with inclusive bounds gives them twice:
 * they are held back until the next range is read, and the newest is kept.
 */
export class BoundaryMerger<T extends Keyed> {
  /** Objects of the range before, at its end. */
  #held = new Map<string, T>();
  #next = new Map<string, T>();
  #given = new Set<string>();

  /** Passes the next object of a range through, unless it is held back or was already given. */
  *pass(object: T, startTime: number, endTime: number): Generator<T, void, void> {
    const { id, createdTime } = object;
    if (createdTime === endTime) {
      this.#next.set(id, object);
      return;
    }
    if (createdTime === startTime) {
      const before = this.#held.get(id);
      this.#held.delete(id);
      if (this.#given.has(id)) return;
      this.#given.add(id);
      yield before && getModifiedTime(before) > getModifiedTime(object) ? before : object;
      return;
    }
    if (createdTime > startTime) yield* this.#flushHeld();
    yield object;
  }

  /** Ends a range. @param isLast objects at the end of the span are outside of it. */
  *endRange(isLast: boolean): Generator<T, void, void> {
    yield* this.#flushHeld();
    this.#held = isLast ? new Map() : this.#next;
    this.#next = new Map();
    this.#given = new Set();
  }

  *#flushHeld(): Generator<T, void, void> {
    for (const [id, object] of this.#held) {
      this.#given.add(id);
      yield object;
    }
    this.#held.clear();
  }
}

function getModifiedTime({ modifiedTime, createdTime }: Keyed): number {
  return modifiedTime ?? createdTime;
}
