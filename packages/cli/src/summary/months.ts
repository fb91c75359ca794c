import type { MonthTotals } from '@tillroll/client/files';
import { count } from '../numbers.ts';
import { money } from './money.ts';

/** More are on no screen; all of them are in the receipt. */
const MOST_MONTHS = 36;
const BAR_LEAST = 5;
const BAR_MOST = 50;

/**
 * A bar per month, a chart for each type and currency.
 * @param width of the terminal.
 */
export function monthCharts(
  months: readonly MonthTotals[],
  width: number,
  block: string,
): string[] {
  const charts = Map.groupBy(months, ({ type, currency }) => `${type.toLowerCase()}, ${currency}`);
  return [...charts].flatMap(([title, rows]) => ['', title, ...chart(rows, width, block)]);
}

function chart(all: readonly MonthTotals[], width: number, block: string): string[] {
  const sorted = all.toSorted((a, b) => (a.month < b.month ? -1 : 1));
  const rows = sorted.slice(-MOST_MONTHS);
  const most = Math.max(...rows.map(({ amount }) => amount));
  const amounts = rows.map(({ amount, currency }) => money(amount, currency));
  const objects = rows.map((row) => count(row.objects));
  const amountWidth = Math.max(...amounts.map((text) => text.length));
  const objectWidth = Math.max(...objects.map((text) => text.length));
  // "  2026-01  BAR  AMOUNT  OBJECTS"
  const room = Math.min(BAR_MOST, width - 1 - 13 - amountWidth - 2 - objectWidth);
  const lines = rows.map(({ month, amount }, index) => {
    const bar = room < BAR_LEAST ? '' : barOf(amount, most, room, block).padEnd(room + 2);
    const [sum = '', many = ''] = [amounts[index], objects[index]];
    return `  ${month}  ${bar}${sum.padStart(amountWidth)}  ${many.padStart(objectWidth)}`;
  });
  const left = sorted.length - rows.length;
  return left === 0 ? lines : [`  (${count(left)} earlier months are in receipt.json)`, ...lines];
}

/** A month with any sales has a bar; one with more refunds than sales has none. */
function barOf(amount: number, most: number, room: number, block: string): string {
  if (amount <= 0 || most <= 0) return '';
  return block.repeat(Math.max(1, Math.round((amount / most) * room)));
}
