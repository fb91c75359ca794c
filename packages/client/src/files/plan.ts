import { cells, type ExportType, type TimeRange } from '@tillroll/contract';
import { ExportError } from '../errors.ts';
import { instantText } from '../span.ts';
import type { DoneRange, Journal } from './journal.ts';
import { folderOf, type TypedRange } from './layout.ts';

/** What has to be done for one range of the directory. */
export interface Task {
  range: TypedRange;
  /** What the directory has of it. */
  have: DoneRange[];
  /** What has to be fetched: the range itself when nothing is there, or pieces to be merged. */
  fetch: TypedRange[];
}

export interface TypePlan {
  type: ExportType;
  /** From where on everything is fetched again. */
  refreshFrom: number | undefined;
  /** What the directory will cover. */
  span: TimeRange;
  tasks: Task[];
}

function union(a: TimeRange | undefined, b: TimeRange): TimeRange {
  if (!a) return b;
  return { startTime: Math.min(a.startTime, b.startTime), endTime: Math.max(a.endTime, b.endTime) };
}

/** What a directory covers of one type; a range that failed may be missing inside. */
export function coveredSpan(
  journal: Pick<Journal, 'done'>,
  type: ExportType,
): TimeRange | undefined {
  let span: TimeRange | undefined;
  for (const range of journal.done('final', type)) span = union(span, range);
  return span;
}

/** `whole` without `parts`, which are sorted by time. */
function gaps(whole: TimeRange, parts: readonly TimeRange[]): TimeRange[] {
  const left: TimeRange[] = [];
  let from = whole.startTime;
  for (const part of parts) {
    if (part.startTime > from)
      left.push({ startTime: from, endTime: Math.min(part.startTime, whole.endTime) });
    from = Math.max(from, part.endTime);
  }
  if (from < whole.endTime) left.push({ startTime: from, endTime: whole.endTime });
  return left;
}

/** Joins what overlaps or touches. */
function joined(ranges: readonly TimeRange[]): TimeRange[] {
  const result: TimeRange[] = [];
  for (const range of ranges.toSorted((a, b) => a.startTime - b.startTime)) {
    const last = result.at(-1);
    if (last && range.startTime <= last.endTime)
      last.endTime = Math.max(last.endTime, range.endTime);
    else result.push({ ...range });
  }
  return result;
}

function overlaps(a: TimeRange, b: TimeRange): boolean {
  return a.startTime < b.endTime && b.startTime < a.endTime;
}

/**
 * Which ranges a pull of `wanted` needs, given what is there: always the cells of 30 days counted from
 * epoch 0 and clipped to the span, so that every pull of a directory asks for the same ones.
 * @param refreshFrom from where on everything is fetched again.
 * @throws ExportError USAGE when there would be a gap.
 */
export function planType(
  journal: Pick<Journal, 'done' | 'layout'>,
  type: ExportType,
  wanted: TimeRange,
  refreshFrom: number | undefined,
): TypePlan {
  const covered = coveredSpan(journal, type);
  if (covered && (wanted.startTime > covered.endTime || wanted.endTime < covered.startTime))
    throw new ExportError(
      'USAGE',
      `${journal.layout.out} holds ${folderOf(type)} from ${instantText(covered.startTime)} to ${instantText(covered.endTime)}; from ${instantText(wanted.startTime)} to ${instantText(wanted.endTime)} would leave a gap`,
      { hint: 'Widen the span, or use another directory' },
    );
  const span = union(covered, wanted);
  const done = journal.done('final', type);
  const tasks: Task[] = [];
  for (const cell of cells(span)) {
    const have = done.filter((range) => overlaps(range, cell));
    const refresh =
      refreshFrom !== undefined && refreshFrom < cell.endTime
        ? [{ startTime: Math.max(cell.startTime, refreshFrom), endTime: cell.endTime }]
        : [];
    const fetch = have.length === 0 ? [cell] : joined([...gaps(cell, have), ...refresh]);
    tasks.push({
      range: { type, ...cell },
      have,
      fetch: fetch.map((range) => ({ type, ...range })),
    });
  }
  return { type, refreshFrom, span, tasks };
}
