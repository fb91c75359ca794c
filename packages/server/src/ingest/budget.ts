/** The budget of disk space for uploads. */
import { NoRoom, TooLarge } from './errors.ts';

const MIB = 1024 * 1024;
/** An upload's end frees what it holds; most take less than this. */
const RETRY_S = 30;

function inMib(bytes: number): string {
  return `${Math.floor(bytes / MIB)} MiB`;
}

/**
 * Bytes of spool that uploads may hold at once, all of them and those of one key. Half of all is the
 * most that one key may have, so that others always have room.
 */
export class SpoolBudget {
  readonly #most: number;
  readonly #mostPerKey: number;
  readonly #held = new Map<string, number>();
  #total = 0;

  constructor(bytes: number) {
    this.#most = bytes;
    this.#mostPerKey = Math.floor(bytes / 2);
  }

  /** Bytes held now. */
  get held(): number {
    return this.#total;
  }

  /** Begins the account of one upload, at 0 bytes. */
  open(key: string): SpoolShare {
    let mine = 0;
    return {
      grow: (to) => {
        this.#add(key, to - mine);
        mine = to;
        this.#judge(key, mine);
      },
      release: () => {
        this.#add(key, -mine);
        mine = 0;
      },
    };
  }

  #add(key: string, bytes: number): void {
    this.#total += bytes;
    const held = (this.#held.get(key) ?? 0) + bytes;
    if (held > 0) this.#held.set(key, held);
    else this.#held.delete(key);
  }

  #judge(key: string, mine: number): void {
    if (mine > this.#mostPerKey) {
      throw new TooLarge(
        `the upload takes more than ${inMib(this.#mostPerKey)} of this machine's disk while it is checked; send it in smaller parts`,
      );
    }
    if ((this.#held.get(key) ?? 0) > this.#mostPerKey) {
      throw new NoRoom(
        `this app's uploads for this merchant hold ${inMib(this.#mostPerKey)} at once, the most they may; send this one again when they have ended`,
        RETRY_S,
      );
    }
    if (this.#total > this.#most) {
      throw new NoRoom(
        `the uploads under way hold ${inMib(this.#most)} at once, the most they may; send this one again later`,
        RETRY_S,
      );
    }
  }
}

export interface SpoolShare {
  /** @param to bytes that the upload holds by now. @throws TooLarge, NoRoom */
  grow(to: number): void;
  release(): void;
}
