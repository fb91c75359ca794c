/** Counts objects and adds up their amounts, by currency and by month. */
import { createHash } from 'node:crypto';
import {
  addAmounts,
  type Amount,
  type ExportType,
  isAmount,
  subtractAmounts,
  type TimeRange,
} from '@tillroll/contract';
import { ExportError } from '../errors.ts';
import type { Members } from '../json/members.ts';
import type { Month, Zone } from '../time/zone.ts';

/** Sums of one currency (and one result, for payments); money in minor units, exact. */
export interface Sums {
  /** The text that the server wrote; null where the objects have none. Those of a wrong type count as none. */
  currency: string | null;
  /** Null for orders. */
  result: string | null;
  objects: number;
  /** Orders: of `total`. Payments: of `amount`, without tips. */
  amount: Amount;
  tipAmount: Amount;
  taxAmount: Amount;
  /** Refunds in these objects, and the sum of their amounts. */
  refunds: number;
  refundAmount: Amount;
  /** Objects and refunds of which some amount is in no sum: it is missing, or not a whole number of 64 bits. */
  uncounted: number;
}

/** Sums of one month and one currency: of all orders, of payments whose result is SUCCESS. */
export interface MonthSums {
  /** `2026-01` */
  month: string;
  currency: string | null;
  objects: number;
  amount: Amount;
  refundAmount: Amount;
}

/** Counts and sums of objects. Tallies of parts can be added up. */
export interface Tally {
  objects: number;
  /** Objects whose `createdTime` is outside all ranges that the file covers. */
  outside: number;
  /** The lowest and the highest `createdTime`, epoch ms; null without objects. */
  first: number | null;
  last: number | null;
  /** By currency and result. */
  sums: Sums[];
  /** By month and currency. */
  months: MonthSums[];
}

/** Makes a tally of no objects. */
export function emptyTally(): Tally {
  return { objects: 0, outside: 0, first: null, last: null, sums: [], months: [] };
}

/** A till has a few currencies. More kinds than these would fill memory. */
const MAX_KINDS = 1000;
/** A longer currency or result is kept as its beginning and a checksum, so that different ones stay different. */
const MAX_LABEL = 64;

/** Adds `part` to `whole`. @throws ExportError BAD_FILE */
export function addTally(whole: Tally, part: Tally): void {
  whole.objects += part.objects;
  whole.outside += part.outside;
  whole.first = choose(Math.min, whole.first, part.first);
  whole.last = choose(Math.max, whole.last, part.last);
  for (const sums of part.sums) {
    const to = findSums(whole.sums, sums.currency, sums.result);
    to.objects += sums.objects;
    to.refunds += sums.refunds;
    to.uncounted += sums.uncounted;
    for (const member of ['amount', 'tipAmount', 'taxAmount', 'refundAmount'] as const)
      to[member] = addAmounts(to[member], sums[member]);
  }
  for (const sums of part.months) {
    const to = findMonth(whole.months, sums.month, sums.currency);
    to.objects += sums.objects;
    to.amount = addAmounts(to.amount, sums.amount);
    to.refundAmount = addAmounts(to.refundAmount, sums.refundAmount);
  }
}

function choose(
  pick: (a: number, b: number) => number,
  a: number | null,
  b: number | null,
): number | null {
  return a === null ? b : b === null ? a : pick(a, b);
}

function findSums(all: Sums[], currency: string | null, result: string | null): Sums {
  const found = all.find((each) => each.currency === currency && each.result === result);
  if (found) return found;
  return addKind(all, {
    currency,
    result,
    objects: 0,
    amount: 0,
    tipAmount: 0,
    taxAmount: 0,
    refunds: 0,
    refundAmount: 0,
    uncounted: 0,
  });
}

function findMonth(all: MonthSums[], month: string, currency: string | null): MonthSums {
  const found = all.find((each) => each.month === month && each.currency === currency);
  return found ?? addKind(all, { month, currency, objects: 0, amount: 0, refundAmount: 0 });
}

function addKind<T>(all: T[], kind: T): T {
  if (all.length === MAX_KINDS)
    throw new ExportError('BAD_FILE', `it holds over ${MAX_KINDS} kinds of currency and result`);
  all.push(kind);
  return kind;
}

/** Shortens a long currency or result. */
function shortenLabel(text: string | null): string | null {
  if (text === null || text.length <= MAX_LABEL) return text;
  const sum = createHash('sha256').update(text).digest('hex').slice(0, 12);
  return `${text.slice(0, MAX_LABEL - 16)}... ${sum}`;
}

/** Counts and sums objects one by one. */
export class Counter {
  readonly tally = emptyTally();
  readonly #type: ExportType;
  readonly #covers: readonly TimeRange[];
  readonly #zone: Zone;
  #month: Month = { name: '', startTime: 0, endTime: 0 };
  #currency: string | null | undefined;
  #result: string | null = null;
  #sums: Sums | undefined;
  #monthSums: MonthSums | undefined;

  /** @param covers half-open ranges; what was created outside of all of them counts as `outside`. */
  constructor(type: ExportType, covers: readonly TimeRange[], zone: Zone) {
    this.#type = type;
    this.#covers = covers;
    this.#zone = zone;
  }

  /** @throws ExportError BAD_FILE when there are too many kinds of currency and result. */
  add(m: Members): void {
    const { tally } = this;
    const time = m.createdTime;
    if (tally.first === null || time < tally.first) tally.first = time;
    if (tally.last === null || time > tally.last) tally.last = time;
    this.#apply(m, 1, addAmounts);
  }

  /** Undoes `add` of an equal object, except for `first` and `last`. */
  remove(m: Members): void {
    this.#apply(m, -1, subtractAmounts);
    if (this.#sums?.objects && (this.#monthSums?.objects ?? 1)) return;
    const { tally } = this;
    tally.sums = tally.sums.filter(({ objects }) => objects > 0);
    tally.months = tally.months.filter(({ objects }) => objects > 0);
    // The sums of the last object may be among those that are gone.
    this.#currency = undefined;
  }

  /** Sets the lowest and the highest `createdTime`. */
  setSpan(first: number | null, last: number | null): void {
    this.tally.first = first;
    this.tally.last = last;
  }

  #apply(m: Members, sign: 1 | -1, change: (sum: Amount, amount: Amount) => Amount): void {
    const { tally } = this;
    tally.objects += sign;
    if (!isCovered(this.#covers, m.createdTime)) tally.outside += sign;
    const sums = this.#selectSums(m);
    const amount = this.#type === 'ORDERS' ? m.total : m.amount;
    sums.objects += sign;
    sums.refunds += sign * m.refunds;
    sums.uncounted += sign * (m.refundsWithoutAmount + (isUncounted(m, amount) ? 1 : 0));
    if (isAmount(amount)) sums.amount = change(sums.amount, amount);
    if (isAmount(m.tipAmount)) sums.tipAmount = change(sums.tipAmount, m.tipAmount);
    if (isAmount(m.taxAmount)) sums.taxAmount = change(sums.taxAmount, m.taxAmount);
    if (m.refunds > 0) sums.refundAmount = change(sums.refundAmount, m.refundAmount);
    const month = this.#monthSums;
    if (!month) return;
    month.objects += sign;
    if (isAmount(amount)) month.amount = change(month.amount, amount);
    if (m.refunds > 0) month.refundAmount = change(month.refundAmount, m.refundAmount);
  }

  /** Finds the sums that an object belongs to; mostly they are those of the object before. */
  #selectSums({ createdTime: time, currency, result }: Members): Sums {
    const isMonth = time >= this.#month.startTime && time < this.#month.endTime;
    const isSame = isMonth && currency === this.#currency && result === this.#result;
    if (isSame && this.#sums) return this.#sums;
    if (!isMonth) this.#month = this.#zone.month(time);
    this.#currency = currency;
    this.#result = result;
    const name = shortenLabel(currency);
    const isOrder = this.#type === 'ORDERS';
    this.#monthSums =
      isOrder || result === 'SUCCESS'
        ? findMonth(this.tally.months, this.#month.name, name)
        : undefined;
    return (this.#sums = findSums(this.tally.sums, name, isOrder ? null : shortenLabel(result)));
  }
}

/** Tells whether one of an object's amounts is in no sum. Tips and taxes may be absent: then there are none. */
function isUncounted({ tipAmount, taxAmount }: Members, amount: Amount | null): boolean {
  return !isAmount(amount) || Number.isNaN(tipAmount) || Number.isNaN(taxAmount);
}

function isCovered(covers: readonly TimeRange[], time: number): boolean {
  for (const { startTime, endTime } of covers) if (time >= startTime && time < endTime) return true;
  return false;
}
