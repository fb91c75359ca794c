import { createHash } from 'node:crypto';
import { EXPORT_TYPES, type ExportType } from '@tillroll/contract';
import { addTally, emptyTally, type Tally } from '../assemble/tally.ts';
import { instantText } from '../time/span.ts';
import { Zone } from '../time/zone.ts';
import { findGaps } from './coverage.ts';
import {
  DATABASE_FILE,
  isTableFormat,
  linesPath,
  MONTH_TABLES,
  monthName,
  RECEIPT_FILE,
  tablePath,
} from './layout.ts';
import { BOUNDS, RECEIPT_VERSION } from './receipt.ts';
import type { Receipt, ReceiptFile, ReceiptTable } from './receipt.ts';
import { describeBasis, type Missing, type MonthRecord, type State } from './state.ts';

type MonthEntry = [type: ExportType, month: string, record: MonthRecord];

/** All months, by type and time. */
export function listMonths({ types }: Pick<State, 'types'>): MonthEntry[] {
  return EXPORT_TYPES.flatMap((type) =>
    sortedEntries(types[type]?.months ?? {}).map(([month, record]): MonthEntry => [
      type,
      month,
      record,
    ]),
  );
}

function sortedEntries<T>(record: Record<string, T>): [string, T][] {
  return Object.keys(record)
    .toSorted()
    .map((key) => [key, record[key] as T]);
}

/** Totals by currency, and by result for payments. */
export function makeTotals(tallies: Record<ExportType, Tally>): Receipt['totals'] {
  return {
    orders: sortedEntries(tallies.ORDERS.sums).map(([key, { objects, total }]) => {
      const [currency = ''] = key.split(' ');
      return { currency, objects, total };
    }),
    payments: sortedEntries(tallies.PAYMENTS.sums).map(([key, sums]) => {
      const [currency = '', result = ''] = key.split(' ');
      const { objects, amount, tipAmount, taxAmount } = sums;
      return { currency, result, objects, amount, tipAmount, taxAmount };
    }),
  };
}

/** Totals by calendar month and currency. */
export function makeMonths(tallies: Record<ExportType, Tally>): Receipt['months'] {
  return EXPORT_TYPES.flatMap((type) =>
    sortedEntries(tallies[type].months).map(([key, { objects, amount }]) => {
      const [month = '', currency = ''] = key.split(' ');
      return { type, month, currency, objects, amount };
    }),
  );
}

/** The tables that a month should have as files of its own, and has not. */
export function findMissingTables(
  { format }: Pick<State, 'format'>,
  type: ExportType,
  has: (table: string) => boolean,
): string[] {
  return MONTH_TABLES[format][type].filter((table) => !has(table));
}

/** What the state shows to be missing, by type and time. */
function findMissing(state: State): Missing[] {
  const zone = new Zone(state.timezone);
  const gaps = EXPORT_TYPES.flatMap((type) => {
    const known = state.types[type];
    return known ? findGaps(type, known.wanted, zone, (month) => known.months[month]?.covers) : [];
  });
  const missing: Missing[] = gaps.map((gap) => ({ ...gap, reason: 'not fetched yet' }));
  for (const [type, month, { covers, tables }] of listMonths(state)) {
    const names = findMissingTables(state, type, (name) =>
      tables.some(({ table }) => table === name),
    );
    if (names.length === 0) continue;
    missing.push({
      name: monthName(type, month),
      type,
      startTime: covers[0]?.startTime ?? null,
      endTime: covers.at(-1)?.endTime ?? null,
      reason: `tables not made yet: ${names.join(', ')}`,
    });
  }
  const isDatabaseMade =
    state.format !== 'duckdb' || state.database?.basis === describeBasis(state);
  const none = { type: null, startTime: null, endTime: null };
  if (!isDatabaseMade) missing.push({ name: DATABASE_FILE, ...none, reason: 'not made yet' });
  return missing;
}

function makeFile(state: State, [type, month, record]: MonthEntry): ReceiptFile {
  const { covers, exports, lines, tally } = record;
  return {
    type,
    month,
    path: linesPath(state, type, month),
    covers: covers.map(({ startTime, endTime }) => ({ startTime, endTime })),
    exports,
    objects: lines.objects,
    outside: tally.outside,
    bytes: lines.bytes,
    sha256: lines.sha256,
    firstCreatedTime: lines.first,
    lastCreatedTime: lines.last,
  };
}

function makeTables(state: State): ReceiptTable[] {
  const { format } = state;
  if (!isTableFormat(format)) return [];
  const months = listMonths(state).flatMap(([, month, { tables }]) =>
    tables.map((table) => ({ table, path: tablePath(format, table.table, month) })),
  );
  const database = (state.database?.tables ?? []).map((table) => ({ table, path: DATABASE_FILE }));
  return [...months, ...database].map(({ table: { table, rows, bytes, sha256 }, path }) => ({
    table,
    path,
    rows,
    bytes,
    sha256,
  }));
}

/**
 * What a directory holds.
 * @param missing what a pull knows to be missing, with its reasons; what the state shows besides is added.
 */
export function makeReceipt(state: State, missing: readonly Missing[] = []): Receipt {
  const { source, format, gzip, timezone } = state;
  const months = listMonths(state);
  const tallies = { ORDERS: emptyTally(), PAYMENTS: emptyTally() };
  for (const [type, , { tally }] of months) addTally(tallies[type], tally);
  const byName = new Map<string, Missing>();
  for (const one of [...missing, ...findMissing(state)])
    if (!byName.has(one.name)) byName.set(one.name, one);
  const all = [...byName.values()];
  const spans = EXPORT_TYPES.flatMap((type) => {
    const wanted = state.types[type]?.wanted;
    if (!wanted) return [];
    return [{ type, from: instantText(wanted.startTime), to: instantText(wanted.endTime) }];
  });
  return {
    receipt: RECEIPT_VERSION,
    complete: all.length === 0 && spans.length > 0,
    source: { url: source.url, merchant: source.merchant },
    format,
    gzip,
    bounds: BOUNDS,
    timezone,
    spans,
    objects: tallies.ORDERS.objects + tallies.PAYMENTS.objects,
    files: months.map((entry) => makeFile(state, entry)),
    tables: makeTables(state),
    totals: makeTotals(tallies),
    months: makeMonths(tallies),
    missing: all.map(({ name, type, startTime, endTime, reason }) => ({
      name,
      type,
      startTime,
      endTime,
      reason,
    })),
  };
}

export function formatReceipt(receipt: Receipt): string {
  return `${JSON.stringify(receipt, null, 2)}\n`;
}

/** SHA256SUMS, as `sha256sum --check` reads it. @param text the receipt's, as it is in its file. */
export function formatChecksums(receipt: Receipt, text: string): string {
  const sums = new Map<string, string>();
  for (const { path, sha256 } of [...receipt.files, ...receipt.tables]) sums.set(path, sha256);
  sums.set(RECEIPT_FILE, createHash('sha256').update(text).digest('hex'));
  // The names have none of the characters that sha256sum escapes.
  return [...sums].map(([path, sha256]) => `${sha256}  ${path}\n`).join('');
}
