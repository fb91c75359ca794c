import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Database } from './duckdb.ts';
import type { Conversion, LinesFile } from './format.ts';
import { inspect, rewritten, type Lines } from './regular.ts';
import { objectsOf, quoted } from './sql.ts';

/** Longest line that the first attempt reads, in bytes; twice as much is a buffer of each thread. */
const USUAL_LONGEST = 16 * 1024 * 1024;
/** What the buffers of all threads may take together. */
const BUFFERS_BYTES = 768 * 1024 * 1024;
/** Of text that one row group may come from: it is held in memory, for each thread. */
const GROUP_BYTES = 96 * 1024 * 1024;
const LEAST_ROWS = 2048;
const MOST_ROWS = 122_880;
/** How much JSON of this kind shrinks. */
const GZIP_RATIO = 10;

function copy(lines: Lines, { type }: LinesFile, path: string): string {
  const rows = Math.floor((GROUP_BYTES * lines.objects) / Math.max(1, lines.bytes));
  const group = Math.min(Math.max(rows, LEAST_ROWS), MOST_ROWS);
  return `COPY (${objectsOf(lines, type)}) TO ${quoted(path)}
    (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE ${group})`;
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
  const attempt = database.run(copy(asIs, file, path)).then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  let inspected: Lines | undefined;
  try {
    inspected = await inspect(file, signal, onBytes);
    if (inspected !== undefined && inspected.longest < USUAL_LONGEST) {
      const failed = await attempt;
      if (failed !== undefined) throw failed.error;
      return inspected.objects;
    }
  } finally {
    database.interrupt();
    await attempt;
  }
  const made = join(database.folder, 'lines.jsonl');
  const lines = inspected ?? (await rewritten(file, made, signal, onBytes));
  const threads = Math.max(1, Math.floor(BUFFERS_BYTES / (4 * lines.longest)));
  await database.run(`SET threads = ${Math.min(threads, database.threads)}`);
  await database.run(copy(lines, file, path));
  await database.run(`SET threads = ${database.threads}`);
  await rm(made, { force: true });
  return lines.objects;
}
