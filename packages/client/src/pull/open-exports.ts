import type { ExportType, TimeRange } from '@tillroll/contract';
import type { Directory } from '../directory/directory.ts';
import type { RangePlan } from './plan.ts';

function isSameRange(a: TimeRange, b: TimeRange): boolean {
  return a.startTime === b.startTime && a.endTime === b.endTime;
}

/** Notes an export in the directory's state: from here on a later pull continues it. */
export async function noteExport(
  directory: Directory,
  type: ExportType,
  range: RangePlan,
  id: string,
): Promise<void> {
  const { startTime, endTime } = range;
  await directory.update(({ types }) => {
    const known = types[type];
    if (!known) return;
    const others = known.exports.filter((other) => !isSameRange(other, range));
    known.exports = [...others, { startTime, endTime, id }];
  });
  range.exportId = id;
}

/** Removes exports that cannot be continued from the state. */
export async function forgetExports(
  directory: Directory,
  type: ExportType,
  ranges: readonly RangePlan[],
): Promise<void> {
  await directory.update(({ types }) => {
    const known = types[type];
    if (!known) return;
    known.exports = known.exports.filter(
      (open) => !ranges.some((range) => isSameRange(range, open)),
    );
  });
  for (const range of ranges) range.exportId = undefined;
}
