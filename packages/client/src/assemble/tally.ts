import type { ExportType, TimeRange } from '@tillroll/contract';
import type { Members } from '../json/members.ts';
import type { Month, Zone } from '../time/zone.ts';

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
  /** Orders: `total`. Payments: `amount` where the result is SUCCESS. */
  amount: number;
}

/** Counts and sums of objects, as JSON. Tallies of parts can be added up. */
export interface Tally {
  objects: number;
  /** Objects whose `createdTime` is outside all ranges that the file covers. */
  outside: number;
  /** The lowest and the highest `createdTime`, epoch ms; null without objects. */
  first: number | null;
  last: number | null;
  /** By `currency` and `result`, separated by a blank; the result is empty for orders. */
  sums: Record<string, Sums>;
  /** By month and currency, separated by a blank. */
  months: Record<string, MonthSums>;
}

const NO_SUMS: Readonly<Sums> = { objects: 0, total: 0, amount: 0, tipAmount: 0, taxAmount: 0 };

export function emptyTally(): Tally {
  return { objects: 0, outside: 0, first: null, last: null, sums: {}, months: {} };
}

/** Adds `part` to `whole`. */
export function addTally(whole: Tally, part: Tally): void {
  whole.objects += part.objects;
  whole.outside += part.outside;
  whole.first = choose(Math.min, whole.first, part.first);
  whole.last = choose(Math.max, whole.last, part.last);
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

function choose(
  pick: (a: number, b: number) => number,
  a: number | null,
  b: number | null,
): number | null {
  return a === null ? b : b === null ? a : pick(a, b);
}

function numberOrZero(value: number): number {
  return Number.isNaN(value) ? 0 : value;
}

/** A currency or result comes from the server: it is kept short and without blanks. */
function label(text: string): string {
  return text === '' ? '?' : text.replaceAll(/[^\w.-]/g, '_').slice(0, 32);
}

/** Counts objects one by one. */
export class Counter {
  readonly tally = emptyTally();
  readonly #isOrder: boolean;
  readonly #covers: readonly TimeRange[];
  readonly #zone: Zone;
  #month: Month = { name: '', startTime: 0, endTime: 0 };
  #currency: string | undefined;
  #result: string | undefined;
  #sums: Sums = { ...NO_SUMS };
  #monthSums: MonthSums = { objects: 0, amount: 0 };

  /** @param covers half-open ranges; what was created outside of all of them counts as `outside`. */
  constructor(type: ExportType, covers: readonly TimeRange[], zone: Zone) {
    this.#isOrder = type === 'ORDERS';
    this.#covers = covers;
    this.#zone = zone;
  }

  add(m: Members): void {
    const { tally } = this;
    const time = m.createdTime;
    if (tally.first === null || time < tally.first) tally.first = time;
    if (tally.last === null || time > tally.last) tally.last = time;
    this.#apply(m, 1);
  }

  /** Undoes `add` of an equal object, except for `first` and `last`. */
  remove(m: Members): void {
    this.#apply(m, -1);
    if (this.#sums.objects > 0 && this.#monthSums.objects > 0) return;
    const { tally } = this;
    tally.sums = withoutEmpty(tally.sums);
    tally.months = withoutEmpty(tally.months);
    // The sums of the last object may be among those that are gone.
    this.#currency = undefined;
  }

  /** Sets the lowest and the highest `createdTime`. */
  setSpan(first: number | null, last: number | null): void {
    this.tally.first = first;
    this.tally.last = last;
  }

  #apply(m: Members, sign: 1 | -1): void {
    const { tally } = this;
    tally.objects += sign;
    if (!isCovered(this.#covers, m.createdTime)) tally.outside += sign;
    this.#selectSums(m);
    const isOrder = this.#isOrder;
    const sums = this.#sums;
    sums.objects += sign;
    if (isOrder) sums.total += sign * numberOrZero(m.total);
    sums.amount += sign * numberOrZero(m.amount);
    sums.tipAmount += sign * numberOrZero(m.tipAmount);
    sums.taxAmount += sign * numberOrZero(m.taxAmount);
    const month = this.#monthSums;
    month.objects += sign;
    if (isOrder) month.amount += sign * numberOrZero(m.total);
    else if (m.result === 'SUCCESS') month.amount += sign * numberOrZero(m.amount);
  }

  /** Finds the sums that an object belongs to; mostly they are those of the object before. */
  #selectSums({ createdTime: time, currency, result }: Members): void {
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

function isCovered(covers: readonly TimeRange[], time: number): boolean {
  for (const { startTime, endTime } of covers) if (time >= startTime && time < endTime) return true;
  return false;
}

function withoutEmpty<T extends { objects: number }>(all: Record<string, T>): Record<string, T> {
  return Object.fromEntries(Object.entries(all).filter(([, { objects }]) => objects > 0));
}
