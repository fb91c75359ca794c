import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { withDatabase, type Database } from './duckdb.ts';
import type { Conversion, ConvertedFile, LinesFile } from '@tillroll/client/files';
import { place, partOf, removePart } from './place.ts';
import { writeParquet } from './parquet-file.ts';

const relativeOf = ({ type, name }: LinesFile) => `${type.toLowerCase()}/${name}.parquet`;

/** One file a range. */
export async function toParquet(conversion: Conversion): Promise<ConvertedFile[]> {
  const { ranges } = conversion;
  const kept = new Set<LinesFile>();
  for (const range of ranges) if (await mayKeep(range, conversion)) kept.add(range);
  const todo = ranges.filter((range) => !kept.has(range));
  await removeStrangers(conversion);
  if (todo.length > 0) {
    await withDatabase(conversion, (database) => makeAll(database, todo, conversion));
  }
  return ranges.map((range) => ({
    path: relativeOf(range),
    table: range.type.toLowerCase(),
    rows: range.objects,
  }));
}

async function makeAll(
  database: Database,
  ranges: readonly LinesFile[],
  conversion: Conversion,
): Promise<void> {
  const { out, onProgress } = conversion;
  const total = Math.max(
    1,
    ranges.reduce((sum, { bytes }) => sum + bytes, 0),
  );
  let done = 0;
  for (const range of ranges) {
    const path = relativeOf(range);
    const final = join(out, path);
    await mkdir(join(final, '..'), { recursive: true });
    try {
      await writeParquet(database, range, partOf(final), conversion, (fraction) =>
        onProgress?.({ path, fraction: Math.min(1, (done + fraction * range.bytes) / total) }),
      );
      await place(final);
    } catch (error) {
      await removePart(final);
      throw error;
    }
    done += range.bytes;
    onProgress?.({ path, fraction: done / total });
  }
}

async function mayKeep(range: LinesFile, { incremental, out }: Conversion): Promise<boolean> {
  if (!incremental || range.changed) return false;
  return (await stat(join(out, relativeOf(range))).catch(() => undefined)) !== undefined;
}

/** Removes Parquet files of ranges that are no more, and what an interrupted run left. */
async function removeStrangers({ ranges, out }: Conversion): Promise<void> {
  const ours = new Set(ranges.map(relativeOf));
  for (const folder of ['orders', 'payments']) {
    for (const name of await readdir(join(out, folder)).catch(() => [])) {
      if (!/\.parquet(\.part)?$/.test(name) || ours.has(`${folder}/${name}`)) continue;
      await rm(join(out, folder, name));
    }
  }
}
