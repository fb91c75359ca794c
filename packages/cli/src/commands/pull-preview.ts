import type { ExportClient } from '@tillroll/client';
import type { PlannedMonth, PullOptions } from '@tillroll/client/files';
import type { Context } from '../context.ts';
import { oneLine } from '../errors.ts';
import { count, counted, instant } from '../format.ts';
import { printJson, printLines } from '../print.ts';
import { table } from '../summary/table.ts';

/** `pull --dry-run`: prints what a pull would do. */
export async function printPreview(
  context: Context,
  client: ExportClient,
  options: PullOptions,
  isJson: boolean,
): Promise<void> {
  const preview = await client.preview({ ...options, signal: context.signal });
  for (const warning of preview.warnings) context.note(`warning: ${warning}`);
  if (isJson) {
    printJson(context, preview);
    return;
  }
  const { months, from, to, timezone, out, format } = preview;
  const exports = months.flatMap((month) => month.exports).filter(({ id }) => id === null);
  const lines = [
    `${oneLine(out)}: ${format}, ${instant(from)} <= createdTime < ${instant(to)}, months of ${timezone}`,
    ...table(months.map(monthCells), []),
    `${counted(exports.length, 'export')} to create, ${count(months.filter(({ isComplete }) => !isComplete).length)} of ${counted(months.length, 'month')} to fetch. Nothing was changed.`,
  ];
  printLines(context, lines);
}

function monthCells({ path, isComplete, objects, exports }: PlannedMonth): string[] {
  const there = objects === 0 ? '' : `${counted(objects, 'object')} there`;
  if (isComplete) return [`  ${path}`, 'complete', there];
  const ranges = exports.map(
    ({ startTime, endTime, id }) =>
      `${id === null ? 'export' : `continue ${id}:`} ${instant(startTime)} to ${instant(endTime)}`,
  );
  return [`  ${path}`, ranges.join(', '), there];
}
