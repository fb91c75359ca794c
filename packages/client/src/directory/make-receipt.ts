/** Makes the receipt and SHA256SUMS from a directory's state. */
import { createHash } from 'node:crypto';
import {
  EXPORT_TYPES,
  type ExportType,
  stringifyExact,
  subtractAmounts,
  type TimeRange,
} from '@tillroll/contract';
import { addTally, emptyTally, type Sums, type Tally } from '../assemble/tally.ts';
import { subtract } from '../time/ranges.ts';
import { formatInstant } from '../time/span.ts';
import { Zone } from '../time/zone.ts';
import {
  DATABASE_FILE,
  isTableFormat,
  linesPath,
  listMonthTables,
  monthName,
  RECEIPT_FILE,
  tablePath,
} from './layout.ts';
import { BOUNDS, RECEIPT_VERSION } from './receipt.ts';
import type { Receipt, ReceiptFile, ReceiptTable } from './receipt.ts';
import { describeBasis, type Missing, type MonthRecord, type State } from './state.ts';

type MonthEntry = [type: ExportType, month: string, record: MonthRecord];

/** Lists all months of a state, by type and time. */
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

/** Makes the totals by currency, and by result for payments. */
export function makeTotals(tallies: Record<ExportType, Tally>): Receipt['totals'] {
  return {
    orders: sortSums(tallies.ORDERS.sums).map(
      ({ currency, objects, amount, refunds, refundAmount, uncounted }) => ({
        currency,
        objects,
        total: amount,
        refunds,
        refundAmount,
        net: subtractAmounts(amount, refundAmount),
        uncounted,
      }),
    ),
    payments: sortSums(tallies.PAYMENTS.sums).map((sums) => {
      const { currency, result, objects, amount, tipAmount, taxAmount } = sums;
      const { refunds, refundAmount, uncounted } = sums;
      const received = result === 'SUCCESS' ? amount : 0;
      const net = subtractAmounts(received, refundAmount);
      const money = { amount, tipAmount, taxAmount, refunds, refundAmount, net };
      return { currency, result, objects, ...money, uncounted };
    }),
  };
}

/** Makes the totals by calendar month and currency. */
export function makeMonths(tallies: Record<ExportType, Tally>): Receipt['months'] {
  return EXPORT_TYPES.flatMap((type) =>
    tallies[type].months
      .toSorted((a, b) => compare([a.month, a.currency], [b.month, b.currency]))
      .map(({ month, currency, objects, amount, refundAmount }) => {
        const net = subtractAmounts(amount, refundAmount);
        return { type, month, currency, objects, amount, refundAmount, net };
      }),
  );
}

function sortSums(sums: readonly Sums[]): Sums[] {
  return sums.toSorted((a, b) => compare([a.currency, a.result], [b.currency, b.result]));
}

/** Compares member by member. Null comes first. */
function compare(a: readonly (string | null)[], b: readonly (string | null)[]): number {
  for (const [i, x] of a.entries()) {
    const y = b[i] ?? null;
    if (x === y) continue;
    if (x === null || y === null) return x === null ? -1 : 1;
    return x < y ? -1 : 1;
  }
  return 0;
}

/** Finds the tables that a month should have as files of its own, and has not. */
export function findMissingTables(
  directory: Pick<State, 'format' | 'columns'>,
  type: ExportType,
  has: (table: string) => boolean,
): string[] {
  return listMonthTables(directory, type).filter((table) => !has(table));
}

/** A month's part of a span: epoch ms, half-open. */
interface MonthPart extends TimeRange {
  type: ExportType;
  month: string;
}

function splitByMonth(type: ExportType, span: TimeRange, zone: Zone): MonthPart[] {
  return [...zone.months(span)].map(({ name, startTime, endTime }) => ({
    type,
    month: name,
    startTime: Math.max(startTime, span.startTime),
    endTime: Math.min(endTime, span.endTime),
  }));
}

/** Finds the months of a span that are not covered completely. @param findCovers finds a month's ranges by its name, `2026-01`. */
export function findGaps(
  type: ExportType,
  span: TimeRange,
  zone: Zone,
  findCovers: (month: string) => readonly TimeRange[] | undefined,
): MonthPart[] {
  return splitByMonth(type, span, zone).filter(
    (part) => subtract(part, findCovers(part.month) ?? []).length > 0,
  );
}

/** Explains what a month lacks; undefined when it is complete. */
function explainMonth(state: State, { type, month, ...part }: MonthPart): string | undefined {
  const record = state.types[type]?.months[month];
  if (!record || subtract(part, record.covers).length > 0) return 'not fetched yet';
  const names = findMissingTables(state, type, (name) =>
    record.tables.some(({ table }) => table === name),
  );
  return names.length === 0 ? undefined : `tables not made yet: ${names.join(', ')}`;
}

/** Lists the gaps and missing files, by type and time. @param reasons by name, where a pull knows them. */
function findMissing(state: State, reasons: ReadonlyMap<string, string>): Missing[] {
  const zone = new Zone(state.timezone);
  const missing = EXPORT_TYPES.flatMap((type): Missing[] => {
    const span = state.types[type]?.wanted;
    const months = span ? splitByMonth(type, span, zone) : [];
    return months.flatMap((part) => {
      const { month, startTime, endTime } = part;
      const name = monthName(type, month);
      const reason = reasons.get(name) ?? explainMonth(state, part);
      return reason === undefined ? [] : [{ name, type, startTime, endTime, reason }];
    });
  });
  if (state.format !== 'duckdb' || state.database?.basis === describeBasis(state)) return missing;
  const reason = reasons.get(DATABASE_FILE) ?? 'not made yet';
  return [...missing, { name: DATABASE_FILE, type: null, startTime: null, endTime: null, reason }];
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
 * Makes the receipt of what a directory holds.
 * @param reasons by name (`orders/2026-01`): what a pull knows to be missing, and why.
 */
export function makeReceipt(
  state: State,
  reasons: ReadonlyMap<string, string> = new Map(),
): Receipt {
  const { source, format, gzip, columns, timezone } = state;
  const months = listMonths(state);
  const tallies = { ORDERS: emptyTally(), PAYMENTS: emptyTally() };
  for (const [type, , { tally }] of months) addTally(tallies[type], tally);
  const missing = findMissing(state, reasons);
  const spans = EXPORT_TYPES.flatMap((type) => {
    const wanted = state.types[type]?.wanted;
    if (!wanted) return [];
    return [{ type, from: formatInstant(wanted.startTime), to: formatInstant(wanted.endTime) }];
  });
  return {
    receipt: RECEIPT_VERSION,
    complete: missing.length === 0 && spans.length > 0,
    source: { url: source.url, merchant: source.merchant },
    format,
    gzip,
    columns,
    bounds: BOUNDS,
    timezone,
    spans,
    objects: tallies.ORDERS.objects + tallies.PAYMENTS.objects,
    files: months.map((entry) => makeFile(state, entry)),
    tables: makeTables(state),
    totals: makeTotals(tallies),
    months: makeMonths(tallies),
    missing,
  };
}

/** Formats a receipt as the text of its file. */
export function formatReceipt(receipt: Receipt): string {
  return `${stringifyExact(receipt, 2)}\n`;
}

/** Formats SHA256SUMS, as `sha256sum --check` reads it. @param text the text of the receipt's file. */
export function formatChecksums(receipt: Receipt, text: string): string {
  const sums = new Map<string, string>();
  for (const { path, sha256 } of [...receipt.files, ...receipt.tables]) sums.set(path, sha256);
  sums.set(RECEIPT_FILE, createHash('sha256').update(text).digest('hex'));
  // The names have none of the characters that sha256sum escapes.
  return [...sums].map(([path, sha256]) => `${sha256}  ${path}\n`).join('');
}
