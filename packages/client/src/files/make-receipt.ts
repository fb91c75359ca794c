import { EXPORT_TYPES, type ExportType, type TimeRange } from '@tillroll/contract';
import { instantText } from '../span.ts';
import type { DoneRange, Journal, StoredFile } from './journal.ts';
import { byTypeAndTime, isConverted, rangeName } from './layout.ts';
import { coveredSpan } from './plan.ts';
import { RECEIPT_VERSION, type Receipt, type ReceiptFile, type ReceiptRange } from './receipt.ts';
import { addTally, emptyTally, type Tally } from './tally.ts';

function fileOf({ path, objects, bytes, sha256, first, last }: StoredFile): ReceiptFile {
  return { path, objects, bytes, sha256, firstCreatedTime: first, lastCreatedTime: last };
}

function rangeOf(done: DoneRange): ReceiptRange {
  const { type, startTime, endTime, exports, tally, files } = done;
  return {
    type,
    name: rangeName(done),
    startTime,
    endTime,
    exports,
    objects: tally.objects,
    outside: tally.outside,
    firstCreatedTime: tally.first,
    lastCreatedTime: tally.last,
    files: files.map(fileOf),
  };
}

function sorted<T>(record: Record<string, T>): [string[], T][] {
  return Object.keys(record)
    .toSorted()
    .map((key) => [key.split(' '), record[key] as T]);
}

export function totalsOf(orders: Tally, payments: Tally): Receipt['totals'] {
  return {
    orders: sorted(orders.sums).map(([[currency = ''], { objects, total }]) => ({
      currency,
      objects,
      total,
    })),
    payments: sorted(payments.sums).map(([[currency = '', result = ''], sums]) => ({
      currency,
      result,
      objects: sums.objects,
      amount: sums.amount,
      tipAmount: sums.tipAmount,
      taxAmount: sums.taxAmount,
    })),
  };
}

export function monthsOf(tallies: Record<ExportType, Tally>): Receipt['months'] {
  return EXPORT_TYPES.flatMap((type) =>
    sorted(tallies[type].months).map(([[month = '', currency = ''], { objects, amount }]) => ({
      type,
      month,
      currency,
      objects,
      amount,
    })),
  );
}

/**
 * What the directory holds by now.
 * @param spans what it is to cover, where that is more than it does.
 * @param missing ranges that should be there and are not.
 */
export function makeReceipt(
  journal: Journal,
  spans: ReadonlyMap<ExportType, TimeRange>,
  missing: Receipt['missing'],
): Receipt {
  const { head } = journal;
  const done = journal.done('final').toSorted(byTypeAndTime);
  const tallies = { ORDERS: emptyTally(), PAYMENTS: emptyTally() };
  for (const range of done) addTally(tallies[range.type], range.tally);
  const isOwn = isConverted(head.format);
  return {
    receipt: RECEIPT_VERSION,
    complete: missing.length === 0,
    source: head.source,
    format: head.format,
    gzip: head.gzip,
    bounds: 'startTime <= createdTime < endTime',
    timezone: head.timezone,
    spans: EXPORT_TYPES.flatMap((type) => {
      const span = spans.get(type) ?? coveredSpan(journal, type);
      return span
        ? [{ type, from: instantText(span.startTime), to: instantText(span.endTime) }]
        : [];
    }),
    objects: tallies.ORDERS.objects + tallies.PAYMENTS.objects,
    ranges: done.map(rangeOf),
    tables: isOwn
      ? (journal.converted?.files ?? []).map((file) => ({ ...fileOf(file), table: file.table }))
      : [],
    totals: totalsOf(tallies.ORDERS, tallies.PAYMENTS),
    months: monthsOf(tallies),
    missing,
  };
}
