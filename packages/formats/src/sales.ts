import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { withDatabase, type Database } from './duckdb.ts';
import type { Conversion, ConvertedFile } from '@tillroll/client/files';
import { writeParquet } from './parquet-file.ts';
import { partOf, place, removePart } from './place.ts';
import { pattern, quoted } from './sql.ts';
import { DAILY_TOTALS, INSERT_REFUNDS, INSERTS, tableStatements } from './sales-sql.ts';
import { TABLES } from './tables.ts';

const PATH = 'sales.duckdb';

/** One database with all tables. */
export async function toDuckdb(conversion: Conversion): Promise<ConvertedFile[]> {
  const final = join(conversion.out, PATH);
  const part = partOf(final);
  const clear = async () => {
    await removePart(final);
    await rm(`${part}.wal`, { force: true });
  };
  await clear();
  try {
    const rows = await withDatabase(conversion, (database) => fill(database, conversion, part));
    await rm(`${part}.wal`, { force: true });
    await place(final);
    // A journal left beside the database that this one replaces is not for this one.
    await rm(`${final}.wal`, { force: true });
    return TABLES.map(({ name }, index) => ({ path: PATH, table: name, rows: rows[index] ?? 0 }));
  } catch (error) {
    await clear();
    throw error;
  }
}

async function fill(database: Database, conversion: Conversion, part: string): Promise<number[]> {
  const { ranges, onProgress } = conversion;
  await database.run(`ATTACH ${quoted(part)} AS sales (TYPE duckdb)`);
  await database.run('USE sales');
  for (const table of TABLES) for (const sql of tableStatements(table)) await database.run(sql);
  await database.run('CREATE TEMP TABLE all_refunds AS FROM refunds');
  const total = Math.max(
    1,
    ranges.reduce((sum, { bytes }) => sum + bytes, 0),
  );
  let done = 0;
  // Payments first: of a refund that stands in both, the payment's copy stays.
  for (const range of ranges.toSorted((a, b) => (a.type < b.type ? 1 : a.type > b.type ? -1 : 0))) {
    const staged = join(database.folder, 'objects.parquet');
    await writeParquet(database, range, staged, conversion, (fraction) =>
      onProgress?.({
        path: PATH,
        fraction: Math.min(1, (done + 0.6 * fraction * range.bytes) / total),
      }),
    );
    await database.run(
      `CREATE OR REPLACE TEMP VIEW objects AS
        FROM read_parquet(${pattern(staged)}, hive_partitioning = false)`,
    );
    for (const sql of INSERTS[range.type]) await database.run(sql);
    await rm(staged);
    done += range.bytes;
  }
  await database.run(INSERT_REFUNDS);
  await database.run(DAILY_TOTALS);
  const rows: number[] = [];
  for (const { name } of TABLES) rows.push(await database.count(`SELECT count(*) FROM ${name}`));
  await database.run('USE memory');
  // Detaching writes all of it to the file, and removes its journal.
  await database.run('CHECKPOINT sales');
  await database.run('DETACH sales');
  onProgress?.({ path: PATH, fraction: 1 });
  return rows;
}
