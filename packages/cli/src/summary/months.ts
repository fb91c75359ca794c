/** Draws a bar for each month of the summary. */
import type { Receipt } from '@tillroll/client/files';
import { oneLine } from '../errors.ts';
import { count } from '../format.ts';
import { money } from './money.ts';

/** More do not fit on a screen. All of them are in the receipt. */
const MAX_MONTHS = 36;
type MonthTotals = Receipt['months'][number];

const MIN_BAR = 5;
const MAX_BAR = 50;

/**
 * A bar for each month, in a chart for each type and currency.
 * @param width of the terminal.
 */
export function monthCharts(
  months: readonly MonthTotals[],
  width: number,
  block: string,
): string[] {
  const charts = Map.groupBy(months, ({ type, currency }) => JSON.stringify([type, currency]));
  return [...charts.values()].flatMap((rows) => {
    const { type = '', currency = null } = rows[0] ?? {};
    const title = oneLine(`${type.toLowerCase()}, ${currency ?? '(none)'}`);
    return ['', title, ...chart(rows, width, block)];
  });
}

function chart(all: readonly MonthTotals[], width: number, block: string): string[] {
  const sorted = all.toSorted((a, b) => (a.month < b.month ? -1 : 1));
  const rows = sorted.slice(-MAX_MONTHS);
  const most = Math.max(...rows.map(({ amount }) => Number(amount)));
  const amounts = rows.map(({ amount, currency }) => money(amount, currency));
  const objects = rows.map((row) => count(row.objects));
  const amountWidth = Math.max(...amounts.map((text) => text.length));
  const objectWidth = Math.max(...objects.map((text) => text.length));
  // "  2026-01  BAR  AMOUNT  OBJECTS"
  const room = Math.min(MAX_BAR, width - 1 - 13 - amountWidth - 2 - objectWidth);
  const lines = rows.map(({ month, amount }, index) => {
    const bar =
      room < MIN_BAR ? '' : drawMonthBar(Number(amount), most, room, block).padEnd(room + 2);
    const [sum = '', many = ''] = [amounts[index], objects[index]];
    return `  ${oneLine(month)}  ${bar}${sum.padStart(amountWidth)}  ${many.padStart(objectWidth)}`;
  });
  const left = sorted.length - rows.length;
  return left === 0 ? lines : [`  (${count(left)} earlier months are in receipt.json)`, ...lines];
}

/** A month with sales has a bar. One with more refunds than sales does not. */
function drawMonthBar(amount: number, most: number, room: number, block: string): string {
  if (amount <= 0 || most <= 0) return '';
  return block.repeat(Math.max(1, Math.round((amount / most) * room)));
}
