import type { ExportType, TimeRange } from '@tillroll/contract';
import type { Members } from '../json/members.ts';
import type { Zone } from '../zone.ts';

/** Sums of one currency (and one result, for payments); money in minor units. */
export interface Sums {
  objects: number;
  total: number;
  amount: number;
  tipAmount: number;
  taxAmount: number;
}

export interface MonthSums {
  objects: number;
  /** Orders' `total`; payments' `amount` where the result is SUCCESS. */
  amount: number;
}

/** What is counted of objects, as JSON. Tallies of parts can be added up. */
export interface Tally {
  objects: number;
  /** `createdTime` before the range, or behind its end. */
  outside: number;
  /** `createdTime` exactly at the end of the range, which is the beginning of the next one. */
  edge: number;
  first: number | null;
  last: number | null;
  /** By `currency` and `result`, split by a blank; result is empty for orders. */
  sums: Record<string, Sums>;
  /** By month and currency, split by a blank. */
  months: Record<string, MonthSums>;
}

export function emptyTally(): Tally {
  return { objects: 0, outside: 0, edge: 0, first: null, last: null, sums: {}, months: {} };
}

function whole(value: number): number {
  return Number.isNaN(value) ? 0 : value;
}

function lower(a: number | null, b: number | null): number | null {
  return a === null ? b : b === null ? a : Math.min(a, b);
}

function higher(a: number | null, b: number | null): number | null {
  return a === null ? b : b === null ? a : Math.max(a, b);
}

const NO_SUMS: Readonly<Sums> = { objects: 0, total: 0, amount: 0, tipAmount: 0, taxAmount: 0 };

/** Adds `part` to `whole`. */
export function addTally(whole: Tally, part: Tally): void {
  whole.objects += part.objects;
  whole.outside += part.outside;
  whole.edge += part.edge;
  whole.first = lower(whole.first, part.first);
  whole.last = higher(whole.last, part.last);
  for (const [key, sums] of Object.entries(part.sums)) {
    const to = (whole.sums[key] ??= { ...NO_SUMS });
    for (const member of Object.keys(NO_SUMS) as (keyof Sums)[]) to[member] += sums[member];
  }
  for (const [key, sums] of Object.entries(part.months)) {
    const to = (whole.months[key] ??= { objects: 0, amount: 0 });
    to.objects += sums.objects;
    to.amount += sums.amount;
  }
}

/** A currency or result is the far side's: kept short and on one line. */
function label(text: string): string {
  return text === '' ? '?' : text.replaceAll(/[^\w.-]/g, '_').slice(0, 32);
}

/** Counts objects as they go by. */
export class Counter {
  readonly tally = emptyTally();
  readonly #isOrder: boolean;
  readonly #range: TimeRange;
  readonly #zone: Zone;
  #month = { name: '', startTime: 0, endTime: 0 };
  #currency: string | undefined;
  #result: string | undefined;
  #sums: Sums = { ...NO_SUMS };
  #monthSums: MonthSums = { objects: 0, amount: 0 };

  constructor(type: ExportType, range: TimeRange, zone: Zone) {
    this.#isOrder = type === 'ORDERS';
    this.#range = range;
    this.#zone = zone;
  }

  add(m: Members): void {
    const { tally } = this;
    const time = m.createdTime;
    tally.objects++;
    if (time === this.#range.endTime) tally.edge++;
    else if (time < this.#range.startTime || time > this.#range.endTime) tally.outside++;
    if (tally.first === null || time < tally.first) tally.first = time;
    if (tally.last === null || time > tally.last) tally.last = time;

    this.#turnTo(m);
    const isOrder = this.#isOrder;
    const sums = this.#sums;
    sums.objects++;
    sums.total += isOrder ? whole(m.total) : 0;
    sums.amount += whole(m.amount);
    sums.tipAmount += whole(m.tipAmount);
    sums.taxAmount += whole(m.taxAmount);
    const month = this.#monthSums;
    month.objects++;
    if (isOrder) month.amount += whole(m.total);
    else if (m.result === 'SUCCESS') month.amount += whole(m.amount);
  }

  /** Finds the sums that an object belongs to; mostly they are those of the object before. */
  #turnTo({ createdTime: time, currency, result }: Members): void {
    const isMonth = time >= this.#month.startTime && time < this.#month.endTime;
    if (isMonth && currency === this.#currency && result === this.#result) return;
    if (!isMonth) this.#month = this.#zone.month(time);
    this.#currency = currency;
    this.#result = result;
    const name = label(currency);
    const { sums, months } = this.tally;
    this.#sums = sums[this.#isOrder ? `${name} ` : `${name} ${label(result)}`] ??= { ...NO_SUMS };
    this.#monthSums = months[`${this.#month.name} ${name}`] ??= { objects: 0, amount: 0 };
  }
}
