/** Writes one Parquet file with DuckDB. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { LinesFile } from '@tillroll/client/files';
import type { Database } from '../database.ts';
import { estimateBytes } from '../scan-lines.ts';
import { quote } from '../quote.ts';
import { selectObjects } from './objects-sql.ts';
import { makeReadable, type ReadableLines } from './readable-lines.ts';

/** Lines that are longer, in bytes, are read by one thread: each has a buffer for two of them. */
const LONG_LINE = 1024 * 1024;
/** So are lines that are longer than this on average. */
const LONG_AVERAGE = 32 * 1024;
/** Length of the text that one row group is made from: DuckDB holds it in memory. */
const GROUP_BYTES = 64 * 1024 * 1024;
const MAX_GROUP_ROWS = 122_880;

/**
 * Writes a month as Parquet to `path`, in the order of its lines.
 * @param names of the chosen columns; undefined: all.
 * @param onFraction 0 to 1.
 */
export async function writeParquet(
  database: Database,
  file: LinesFile,
  path: string,
  names: readonly string[] | undefined,
  signal: AbortSignal,
  onFraction: (fraction: number) => void,
): Promise<void> {
  const bytes = estimateBytes(file);
  const copyPath = join(database.folder, 'lines.jsonl');
  const lines = await makeReadable(file, copyPath, signal, (read) =>
    onFraction(Math.min(0.5, (0.5 * read) / bytes)),
  );
  const select = selectObjects(lines, file.type, names);
  // To keep an order, several threads hold back what comes early, which may be whole files of large
  // objects; one thread alone has nothing to put in order.
  const isAlone = lines.longest > LONG_LINE || lines.bytes > LONG_AVERAGE * lines.objects;
  await database.run(`SET threads = ${isAlone ? 1 : database.threads}`);
  await database.run(`SET preserve_insertion_order = ${!isAlone}`);
  await database.run(`COPY (${select}) TO ${quote(path)} (FORMAT parquet, COMPRESSION zstd,
    ROW_GROUP_SIZE ${groupRows(lines)})`);
  await database.run(`SET threads = ${database.threads}`);
  await database.run('SET preserve_insertion_order = true');
  await rm(copyPath, { force: true });
}

function groupRows({ objects, bytes }: ReadableLines): number {
  const rows = Math.floor((GROUP_BYTES * objects) / Math.max(1, bytes));
  return Math.min(Math.max(1, rows), MAX_GROUP_ROWS);
}
