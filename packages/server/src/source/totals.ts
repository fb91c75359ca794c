/** Sums the amounts of an export's objects while its rows pass. */
import type { ExportTotals, ExportType } from '@tillroll/contract';
import type { RowFrame } from './frames.ts';
import { ROW_LAYOUTS } from './statement.ts';

/** Columns and their members, in the order of the row. */
const MEMBERS: Readonly<Record<string, string>> = {
  total: 'total',
  amount: 'amount',
  tip_amount: 'tipAmount',
  tax_amount: 'taxAmount',
};

/** Kinds of currency and result in one export: each is held in memory and shown by every poll. Above that there are no totals. */
const MAX_KINDS = 1_000;
/** The object's own length stands before it. */
const LENGTH_BYTES = 4;
/** Below this, a sum and an amount of less than 2^52 add up exactly as doubles. */
const EXACT = 2 ** 52;
const HALF = 2 ** 32;

/** Sums of the objects of one currency and result. */
interface Sums {
  /** The texts of the rows, as they are sent: lengths and bytes. */
  readonly key: Buffer;
  readonly texts: (string | null)[];
  objects: number;
  /** Objects without their first amount, the one that counts. */
  unsummed: number;
  /** Sums that are not in `carried` yet; exact as doubles. */
  readonly partial: number[];
  readonly carried: bigint[];
}

/** Control totals by currency, and for payments by result. */
export class Totals {
  readonly #texts: number;
  readonly #integers: readonly string[];
  readonly #kinds = new Map<string, Sums>();
  /** The sums of the last row: mostly those of the next one, too. */
  #last: Sums | null = null;
  /** A row has no fields to sum, or there are too many kinds. */
  #isIncomplete = false;

  constructor(type: ExportType) {
    const { texts, integers } = ROW_LAYOUTS[type];
    this.#texts = texts.length;
    this.#integers = integers;
  }

  /** Adds a row. */
  add({ data, fields, start }: Pick<RowFrame, 'data' | 'fields' | 'start'>): void {
    if (fields + LENGTH_BYTES === start) {
      this.#isIncomplete = true;
      return;
    }
    const sums = this.#select(data, fields);
    if (!sums) return;
    sums.objects++;
    let at = fields + sums.key.length;
    for (let n = 0; n < this.#integers.length; n++) {
      const isNull = data.readInt32BE(at) < 0;
      at += 4;
      if (isNull) {
        if (n === 0) sums.unsummed++;
        continue;
      }
      const high = data.readInt32BE(at);
      this.#add(sums, n, high, data.readUInt32BE(at + 4));
      at += 8;
    }
  }

  /**
   * The totals as the answer shows them, `{"elements":[...]}`, by currency and result; null above 1000 of those, and
   * where rows have nothing to sum.
   */
  toJson(): string | null {
    if (this.#isIncomplete) return null;
    const kinds = [...this.#kinds.values()].toSorted(compareTexts);
    return JSON.stringify({ elements: kinds.map((kind) => this.#show(kind)) });
  }

  #add(sums: Sums, n: number, high: number, low: number): void {
    const amount = high * HALF + low;
    if (amount <= -EXACT || amount >= EXACT) {
      sums.carried[n] = (sums.carried[n] ?? 0n) + BigInt(high) * BigInt(HALF) + BigInt(low);
      return;
    }
    const partial = (sums.partial[n] ?? 0) + amount;
    if (partial > -EXACT && partial < EXACT) {
      sums.partial[n] = partial;
      return;
    }
    sums.carried[n] = (sums.carried[n] ?? 0n) + BigInt(partial);
    sums.partial[n] = 0;
  }

  #select(data: Buffer, start: number): Sums | null {
    const last = this.#last;
    if (last && begins(data, start, last.key)) return last;
    let end = start;
    for (let n = 0; n < this.#texts; n++) end += 4 + Math.max(0, data.readInt32BE(end));
    const name = data.toString('latin1', start, end);
    let sums = this.#kinds.get(name);
    if (!sums) {
      if (this.#kinds.size === MAX_KINDS) {
        this.#isIncomplete = true;
        return null;
      }
      const zeros = this.#integers.map(() => 0);
      const key = Buffer.from(data.subarray(start, end));
      const carried = zeros.map(() => 0n);
      sums = { key, texts: this.#parse(key), objects: 0, unsummed: 0, partial: zeros, carried };
      this.#kinds.set(name, sums);
    }
    return (this.#last = sums);
  }

  #parse(key: Buffer): (string | null)[] {
    const texts: (string | null)[] = [];
    for (let at = 0; at < key.length;) {
      const length = key.readInt32BE(at);
      at += 4;
      texts.push(length < 0 ? null : key.toString('utf8', at, at + length));
      at += Math.max(0, length);
    }
    return texts;
  }

  #show({ texts, objects, unsummed, partial, carried }: Sums): ExportTotals {
    const [currency = null, result = null] = texts;
    const amounts = this.#integers.map((column, n) => [
      MEMBERS[column] ?? column,
      // Exact, also beyond 2^53.
      JSON.rawJSON(String((carried[n] ?? 0n) + BigInt(partial[n] ?? 0))),
    ]);
    return {
      currency,
      ...(this.#texts > 1 && { result }),
      objects,
      ...(Object.fromEntries(amounts) as Partial<ExportTotals>),
      unsummed,
    };
  }
}

function begins(data: Buffer, start: number, key: Buffer): boolean {
  for (let n = 0; n < key.length; n++) if (data[start + n] !== key[n]) return false;
  return true;
}

/** By code units, null last. */
function compareTexts(a: Sums, b: Sums): number {
  for (const [n, text] of a.texts.entries()) {
    const other = b.texts[n] ?? null;
    if (text === other) continue;
    if (text === null) return 1;
    if (other === null) return -1;
    return text < other ? -1 : 1;
  }
  return 0;
}

/** Passes batches of rows on, and adds each row to the totals. */
export async function* addUp(
  batches: AsyncIterable<RowFrame[]>,
  totals: Totals,
): AsyncGenerator<RowFrame[]> {
  for await (const rows of batches) {
    for (const row of rows) if (!row.isDeletion) totals.add(row);
    yield rows;
  }
}
