import type { PullResult, Receipt, ReceiptFile } from '@tillroll/client/files';
import { instant } from '../display/instant.ts';
import type { Terminal } from '../display/terminal.ts';
import { durationInWords } from '../durations.ts';
import { withHint } from '../errors.ts';
import { byteSize, count, counted } from '../numbers.ts';
import { money } from './money.ts';
import { monthCharts } from './months.ts';
import { table } from './table.ts';

export interface SummaryOptions {
  elapsedMs: number;
  terminal: Pick<Terminal, 'width' | 'blocks' | 'paint'>;
}

/** What is said once a pull has ended, as lines. */
export function summaryLines(result: PullResult, options: SummaryOptions): string[] {
  const { receipt, out, complete } = result;
  const { paint, width, blocks } = options.terminal;
  const verdict = complete ? paint('green', 'complete') : paint('red', 'not complete');
  return [
    `${out}: ${verdict}`,
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

/** Files by path: a DuckDB file is listed once for each of its tables. */
function filesOf({ ranges, tables }: Receipt): ReceiptFile[] {
  const files = [...ranges.flatMap((range) => range.files), ...tables];
  return [...new Map(files.map((file) => [file.path, file])).values()];
}

function amountLines({ receipt, received }: PullResult, elapsedMs: number): string[] {
  const files = filesOf(receipt);
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  const speed = received.bytes / Math.max(1, elapsedMs);
  return [
    `  ${counted(receipt.ranges.length, 'range')}, ${counted(receipt.objects, 'object')}, ${counted(files.length, 'file')}, ${byteSize(bytes)} on disk`,
    `  received now: ${counted(received.objects, 'object')}, ${byteSize(received.bytes)} in ${seconds(elapsedMs)}${received.bytes === 0 ? '' : ` (${byteSize(speed * 1000)}/s)`}`,
  ];
}

/** A short run to a tenth of a second. */
function seconds(ms: number): string {
  return ms < 60_000 ? `${(ms / 1000).toFixed(1)} s` : durationInWords(ms);
}

function totalLines({ totals }: Receipt): string[] {
  const rows = [
    ...totals.orders.map(({ currency, objects, total }) => [
      '  orders',
      currency,
      '',
      count(objects),
      `total ${money(total, currency)}`,
    ]),
    ...totals.payments.map((row) => [
      '  payments',
      row.currency,
      row.result,
      count(row.objects),
      `amount ${money(row.amount, row.currency)}`,
      `tips ${money(row.tipAmount, row.currency)}`,
      `tax ${money(row.taxAmount, row.currency)}`,
    ]),
  ];
  return rows.length === 0 ? [] : ['', ...table(rows, [3])];
}

/** Each range that is missing, and what to do. */
export function failureLines({ receipt, failed, complete }: PullResult): string[] {
  const reasons = new Map<string, string>(
    receipt.missing.map(({ name, reason }) => [name, reason]),
  );
  for (const { name, message, hint } of failed) reasons.set(name, withHint(message, hint));
  const lines = [...reasons].map(([name, reason]) => `${name} failed: ${withHint(reason, '')}`);
  if (!complete)
    lines.push(
      `${counted(reasons.size, 'range')} missing: run the same command again, what is complete is kept`,
    );
  return lines;
}
