/** Plans the months and exports of one type from what the directory has. */
import type { ExportType, TimeRange } from '@tillroll/contract';
import type { MonthRecord, OpenExport, TypeState } from '../directory/state.ts';
import { usageError } from '../errors.ts';
import { formatInstant } from '../time/span.ts';
import { exportRanges, type Zone } from '../time/zone.ts';
import { coverRanges, isInside, overlaps, subtract, union } from '../time/ranges.ts';

/** One export that a month needs. */
export interface RangePlan extends TimeRange {
  /** The export that an earlier pull asked for. */
  exportId: string | undefined;
}

/** The work for one file of the directory. There is none when `ranges` is empty. */
export interface MonthPlan {
  type: ExportType;
  /** `2026-01`. */
  month: string;
  /** The part of the month that the directory is to cover. */
  span: TimeRange;
  /** Ranges that the file covers once everything was fetched; sorted, disjoint. */
  covers: TimeRange[];
  /** The exports to make or to continue, by time. */
  ranges: RangePlan[];
  /** The directory's record of the month, unless it is damaged. */
  existing: MonthRecord | undefined;
}

/** The work for one type. */
export interface TypePlan {
  type: ExportType;
  /** The span that the directory will cover. */
  span: TimeRange;
  /** Everything from this time on is fetched again, epoch ms; null: nothing. */
  refreshFrom: number | null;
  months: MonthPlan[];
}

/** The facts that the plan of a type follows from. */
export interface PlanInput {
  type: ExportType;
  /** The directory's state of the type. */
  state: Pick<TypeState, 'months' | 'exports'> | undefined;
  /** The span that was asked for. */
  wanted: TimeRange;
  refreshFrom: number | null;
  zone: Zone;
  /** Months whose file is missing or was cut off: they are fetched again. */
  damaged: ReadonlySet<string>;
}

/** Finds the span from the first to the last instant that a directory covers; a month may be missing inside. */
export function findCoveredSpan(
  state: Pick<TypeState, 'months'> | undefined,
): TimeRange | undefined {
  const covers = Object.values(state?.months ?? {}).flatMap((month) => month.covers);
  if (covers.length === 0) return undefined;
  return {
    startTime: Math.min(...covers.map(({ startTime }) => startTime)),
    endTime: Math.max(...covers.map(({ endTime }) => endTime)),
  };
}

/** Uses the open exports that lie inside `area`, and cuts the rest into new ones. */
function planRanges(area: TimeRange, open: readonly OpenExport[], zone: Zone): RangePlan[] {
  const used: OpenExport[] = [];
  for (const candidate of open)
    if (isInside(candidate, area) && !used.some((other) => overlaps(other, candidate)))
      used.push(candidate);
  const continued = used.map(({ startTime, endTime, id }) => ({
    startTime,
    endTime,
    exportId: id,
  }));
  const begun = subtract(area, used)
    .flatMap((rest) => [...exportRanges(rest, zone)])
    .map((range) => ({ ...range, exportId: undefined }));
  return [...continued, ...begun].toSorted((a, b) => a.startTime - b.startTime);
}

/**
 * Plans the exports that a pull of a type needs. They never cross a month's end, so that every pull of a
 * directory asks for the same ones.
 * @throws ExportError USAGE when the directory would have a gap.
 */
export function planType(input: PlanInput): TypePlan {
  const { type, state, wanted, refreshFrom, zone, damaged } = input;
  const covered = findCoveredSpan(state);
  if (covered && (wanted.startTime > covered.endTime || wanted.endTime < covered.startTime))
    throw usageError(
      `would leave a gap: the directory holds ${type.toLowerCase()} from ${formatInstant(covered.startTime)} to ${formatInstant(covered.endTime)}, and ${formatInstant(wanted.startTime)} to ${formatInstant(wanted.endTime)} was asked for`,
      {
        option: wanted.startTime > covered.endTime ? 'from' : 'to',
        hint: 'Widen the span, or use another directory',
      },
    );
  const span = covered ? coverRanges([covered, wanted]) : wanted;
  const months = [...zone.months(span)].map(({ name, startTime, endTime }): MonthPlan => {
    const part = {
      startTime: Math.max(startTime, span.startTime),
      endTime: Math.min(endTime, span.endTime),
    };
    const existing = damaged.has(name) ? undefined : state?.months[name];
    const refresh =
      refreshFrom !== null && refreshFrom < part.endTime
        ? [{ startTime: Math.max(part.startTime, refreshFrom), endTime: part.endTime }]
        : [];
    const areas = union([...subtract(part, existing?.covers ?? []), ...refresh]);
    const ranges = areas.flatMap((area) => planRanges(area, state?.exports ?? [], zone));
    return {
      type,
      month: name,
      span: part,
      covers: union([...(existing?.covers ?? []), ...ranges]),
      ranges,
      existing,
    };
  });
  return { type, span, refreshFrom, months };
}
