/** The summary after a pull: what was fetched, totals, and what is missing. */
import type { PullResult, Receipt } from '@tillroll/client/files';
import type { Terminal } from '../display/terminal.ts';
import { oneLine, withHint } from '../errors.ts';
import { byteSize, count, counted, durationInWords, instant } from '../format.ts';
import { money } from './money.ts';
import { monthCharts } from './months.ts';
import { table } from './table.ts';

type Totals = Receipt['totals']['orders' | 'payments'][number];

export interface SummaryOptions {
  elapsedMs: number;
  terminal: Pick<Terminal, 'width' | 'blocks' | 'paint'>;
}

/** The lines after a pull. Texts of the server or of the receipt are made safe for a terminal. */
export function summaryLines(result: PullResult, options: SummaryOptions): string[] {
  const { receipt, out, complete } = result;
  const { paint, width, blocks } = options.terminal;
  const verdict = complete ? paint('green', 'complete') : paint('red', 'not complete');
  return [
    `${oneLine(out)}: ${verdict}`,
    ...spanLines(receipt),
    ...amountLines(result, options.elapsedMs),
    ...totalLines(receipt),
    ...monthCharts(receipt.months, width, blocks[0]),
    ...(complete ? [] : ['', ...failureLines(result)]),
  ];
}

function spanLines({ spans }: Receipt): string[] {
  return table(
    spans.map(({ type, from, to }) => [
      `  ${type.toLowerCase()}`,
      `${instant(from)} <= createdTime < ${instant(to)}`,
    ]),
    [],
  );
}

function amountLines({ receipt, received }: PullResult, elapsedMs: number): string[] {
  // A DuckDB file is listed once for each of its tables.
  const sizes = new Map(
    [...receipt.files, ...receipt.tables].map(({ path, bytes }) => [path, bytes]),
  );
  const bytes = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  const months = new Set(receipt.files.map(({ month }) => month));
  const speed = byteSize((received.bytes * 1000) / Math.max(1, received.ms));
  const now = `${counted(received.objects, 'object')}, ${byteSize(received.bytes)}`;
  return [
    `  ${counted(months.size, 'month')}, ${counted(receipt.objects, 'object')}, ${counted(sizes.size, 'file')}, ${byteSize(bytes)} on disk`,
    `  received now: ${now}${received.bytes === 0 ? '' : ` in ${seconds(received.ms)} (${speed}/s)`}; ${seconds(elapsedMs)} in all`,
  ];
}

/** A short time to a tenth of a second. */
function seconds(ms: number): string {
  return ms < 60_000 ? `${(ms / 1000).toFixed(1)} s` : durationInWords(ms);
}

function totalLines({ totals }: Receipt): string[] {
  const hasRefunds = [...totals.orders, ...totals.payments].some(({ refunds }) => refunds > 0);
  const cells = (
    { currency, objects, refundAmount, net }: Totals,
    type: string,
    result: string,
    amount: string,
  ): string[] => [
    `  ${type}`,
    label(currency),
    result,
    count(objects),
    amount,
    ...(hasRefunds
      ? [`refunds ${money(refundAmount, currency)}`, `net ${money(net, currency)}`]
      : []),
  ];
  const rows = [
    ...totals.orders.map((row) =>
      cells(row, 'orders', '', `total ${money(row.total, row.currency)}`),
    ),
    ...totals.payments.map((row) => [
      ...cells(row, 'payments', label(row.result), `amount ${money(row.amount, row.currency)}`),
      `tips ${money(row.tipAmount, row.currency)}`,
      `tax ${money(row.taxAmount, row.currency)}`,
    ]),
  ];
  return rows.length === 0 ? [] : ['', ...table(rows, [3]), ...uncountedLines(totals)];
}

function uncountedLines({ orders, payments }: Receipt['totals']): string[] {
  const uncounted = (rows: readonly Totals[]): number =>
    rows.reduce((sum, row) => sum + row.uncounted, 0);
  return Object.entries({ order: uncounted(orders), payment: uncounted(payments) }).flatMap(
    ([name, number]) =>
      number === 0
        ? []
        : [
            `  ${counted(number, name)} with an amount that is missing or not a whole number: it is in no sum`,
          ],
  );
}

/** A currency or a result, or what stands for none. */
function label(text: string | null): string {
  return text === null ? '(none)' : oneLine(text);
}

/** A line for each month or table that is missing, and what to do. */
export function failureLines({ receipt, failed, complete }: PullResult): string[] {
  const reasons = new Map<string, string>(
    receipt.missing.map(({ name, reason }) => [name, reason]),
  );
  for (const { name, message, hint } of failed) reasons.set(name, withHint(message, hint));
  const lines = [...reasons].map(([name, reason]) => `${oneLine(name)}: ${oneLine(reason)}`);
  if (!complete)
    lines.push(
      `${counted(reasons.size, 'file')} missing. Run the pull again to fetch what is missing.`,
    );
  return lines;
}
