import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Database } from './duckdb.ts';
import { isOutOfMemory } from './failure.ts';
import type { Conversion, LinesFile } from '@tillroll/client/files';
import { inspect, rewritten, type Lines } from './regular.ts';
import { objectsOf, quoted } from './sql.ts';

/** Longest line of a usual file, in bytes; a reader's buffer is twice as long, one a thread. */
const USUAL_LONGEST = 16 * 1024 * 1024;
/** Lines of a usual file are not longer than this on average. */
const USUAL_BYTES = 32 * 1024;
/** Of text that one row group may come from: it is held in memory. */
const GROUP_BYTES = 64 * 1024 * 1024;
const MOST_ROWS = 122_880;
/** How much JSON of this kind shrinks. */
const GZIP_RATIO = 10;

/**
 * Writes `lines` to `path`, in their order. To keep an order, several threads hold back what comes
 * early, and so may hold whole files of large objects; one thread alone has nothing to put in order.
 */
async function copy(
  database: Database,
  lines: Lines,
  { type }: LinesFile,
  path: string,
  alone: boolean,
): Promise<void> {
  const rows = Math.floor((GROUP_BYTES * lines.objects) / Math.max(1, lines.bytes));
  await database.run(`SET threads = ${alone ? 1 : database.threads}`);
  await database.run(`SET preserve_insertion_order = ${!alone}`);
  await database.run(`COPY (${objectsOf(lines, type)}) TO ${quoted(path)}
    (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE ${Math.min(Math.max(1, rows), MOST_ROWS)})`);
  await database.run(`SET threads = ${database.threads}`);
  await database.run('SET preserve_insertion_order = true');
}

/**
 * Writes one range as Parquet to exactly `path`; returns its number of objects.
 *
 * DuckDB begins at once, as if no line held a surprise, while the lines are inspected. Where one
 * does, or is very long, what it made is thrown away, and made again of what it can read.
 */
export async function writeParquet(
  database: Database,
  file: LinesFile,
  path: string,
  { signal }: Conversion,
  onFraction: (fraction: number) => void,
): Promise<number> {
  const bytes = file.bytes * (file.gzip ? GZIP_RATIO : 1);
  const onBytes = (read: number) => onFraction(Math.min(0.9, read / Math.max(1, bytes)));
  const asIs: Lines = { ...file, gzip: file.gzip && bytes > 0, bytes, longest: USUAL_LONGEST };
  const large = bytes > USUAL_BYTES * file.objects;
  const attempt = copy(database, asIs, file, path, large).then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  let inspected: Lines | undefined;
  let alone = large;
  try {
    inspected = await inspect(file, signal, onBytes);
    if (inspected !== undefined && inspected.longest <= USUAL_LONGEST) {
      const failed = await attempt;
      if (failed === undefined) return inspected.objects;
      if (large || !isOutOfMemory(failed.error)) throw failed.error;
      alone = true;
    }
  } finally {
    // Again and again: between two statements there is nothing to interrupt yet.
    const ending = setInterval(() => database.interrupt(), 10);
    await attempt;
    clearInterval(ending);
  }
  const made = join(database.folder, 'lines.jsonl');
  const lines = inspected ?? (await rewritten(file, made, signal, onBytes));
  await copy(database, lines, file, path, alone || lines.longest > USUAL_LONGEST);
  await rm(made, { force: true });
  return lines.objects;
}
