/** Counts a directory's objects again and compares them with its receipt. */
import { EXPORT_TYPES, type ExportType, stringifyExact } from '@tillroll/contract';
import type { FileSum } from '../disk/entries.ts';
import { readLines } from '../assemble/read-lines.ts';
import { addTally, Counter, emptyTally, type Tally } from '../assemble/tally.ts';
import { throwIfAborted } from '../http/retry.ts';
import { subtract } from '../time/ranges.ts';
import { Zone } from '../time/zone.ts';
import { absolutePath, DATABASE_FILE, monthName, RECEIPT_FILE } from './layout.ts';
import type { Fault } from './inspect-files.ts';
import { findGaps, findMissingTables, makeMonths, makeTotals } from './make-receipt.ts';
import type { Receipt, ReceiptFile } from './receipt.ts';

/** Counts the objects of a directory's files, one file after another. */
export class Recount {
  readonly tallies: Record<ExportType, Tally> = { ORDERS: emptyTally(), PAYMENTS: emptyTally() };
  readonly faults: Fault[] = [];
  readonly #out: string;
  readonly #gzip: boolean;
  readonly #zone: Zone;

  constructor(out: string, { gzip, timezone }: Receipt) {
    this.#out = out;
    this.#gzip = gzip;
    this.#zone = new Zone(timezone);
  }

  get objects(): number {
    return this.tallies.ORDERS.objects + this.tallies.PAYMENTS.objects;
  }

  /** Counts the objects of one file. @throws ExportError BAD_FILE when the content is not JSON lines, INTERRUPTED */
  async read(file: ReceiptFile, signal: AbortSignal | undefined): Promise<FileSum> {
    const { path, type, covers } = file;
    const counter = new Counter(type, covers, this.#zone);
    const read = await readLines(
      absolutePath({ out: this.#out }, path),
      this.#gzip,
      (_buffer, _start, _end, members) => counter.add(members),
      () => throwIfAborted(signal),
    );
    const { tally } = counter;
    addTally(this.tallies[type], tally);
    const { objects, outside, firstCreatedTime, lastCreatedTime } = file;
    if (tally.objects !== objects)
      this.#add(path, `holds ${tally.objects} objects, and the receipt says ${objects}`);
    else if (tally.first !== firstCreatedTime || tally.last !== lastCreatedTime)
      this.#add(path, 'has other times than the receipt says');
    else if (tally.outside !== outside)
      this.#add(path, `has ${tally.outside} objects outside, and the receipt says ${outside}`);
    return read;
  }

  #add(path: string, message: string): void {
    this.faults.push({ path, message });
  }
}

/** Finds faults of a receipt's sums, compared with the counted ones. */
export function findSumFaults(receipt: Receipt, recount: Recount): string[] {
  const counted = makeTotals(recount.tallies);
  const faults: string[] = [];
  const isSame = (a: unknown, b: unknown): boolean => stringifyExact(a) === stringifyExact(b);
  for (const key of ['orders', 'payments'] as const)
    if (!isSame(counted[key], receipt.totals[key]))
      faults.push(`the totals of ${key} are not those of the files`);
  if (!isSame(makeMonths(recount.tallies), receipt.months))
    faults.push('the totals by month are not those of the files');
  if (recount.objects !== receipt.objects)
    faults.push(`the files hold ${recount.objects} objects, and it says ${receipt.objects}`);
  return faults;
}

function findCoverFaults({ spans, files }: Receipt, zone: Zone): string[] {
  return files.flatMap(({ type, month, covers, path }) => {
    const span = spans.find((other) => other.type === type);
    if (!span) return [`${path} is there, and the receipt has no span of ${type}`];
    const first = covers[0];
    if (!first) return [`${path} covers nothing`];
    const whole = { startTime: first.startTime, endTime: covers.at(-1)?.endTime ?? 0 };
    const isOutside =
      zone.month(whole.startTime).name !== month || zone.month(whole.endTime - 1).name !== month;
    if (isOutside) return [`${path} covers what is outside of its month`];
    const isAscending = covers.every(
      ({ startTime }, i) => i === 0 || startTime >= (covers[i - 1]?.endTime ?? 0),
    );
    if (!isAscending) return [`what ${path} covers overlaps`];
    const beyond = subtract(whole, [
      { startTime: Date.parse(span.from), endTime: Date.parse(span.to) },
    ]);
    return beyond.length > 0 ? [`${path} covers what is outside of the span`] : [];
  });
}

/** Finds faults that a receipt shows by itself: gaps, tables that are absent, a wrong `complete`. */
export function findReceiptFaults(receipt: Receipt): string[] {
  const { spans, files, tables, missing, format, complete } = receipt;
  const zone = new Zone(receipt.timezone);
  const named = new Set(missing.map(({ name }) => name));
  const covers = findCoverFaults(receipt, zone);
  const gaps = spans.flatMap(({ type, from, to }) =>
    findGaps(
      type,
      { startTime: Date.parse(from), endTime: Date.parse(to) },
      zone,
      (month) => files.find((file) => file.type === type && file.month === month)?.covers,
    ),
  );
  const absent = gaps
    .map(({ type, month }) => monthName(type, month))
    .filter((name) => !named.has(name))
    .map((name) => `${name} is not covered whole, and nothing is named as missing`);
  const present = new Set(tables.map(({ path }) => path));
  for (const { type, month } of files) {
    if (named.has(monthName(type, month))) continue;
    for (const table of findMissingTables(receipt, type, (name) =>
      present.has(`${name}/${month}.${format}`),
    ))
      absent.push(`${table}/${month}.${format} is absent, and nothing is named as missing`);
  }
  if (format === 'duckdb' && tables.length === 0 && !named.has(DATABASE_FILE))
    absent.push(`${DATABASE_FILE} is absent, and nothing is named as missing`);
  const isComplete = missing.length === 0 && spans.length > 0;
  const flag = complete === isComplete ? [] : [`it says complete: ${String(complete)}, wrongly`];
  return [...covers, ...absent, ...flag];
}

/** Finds types and paths that are in a receipt more than once. */
export function findDuplicates({ spans, files }: Receipt): string[] {
  const types = EXPORT_TYPES.filter(
    (type) => spans.filter((span) => span.type === type).length > 1,
  );
  const paths = files.map(({ path }) => path);
  const twice = paths.filter((path, i) => paths.indexOf(path) !== i);
  return [...types, ...twice].map((name) => `${name} is in ${RECEIPT_FILE} twice`);
}
