/** Makes the one DuckDB file of a directory. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DATABASE_FILE, type Conversion, type ConvertedTable } from '@tillroll/client/files';
import { withDatabase, type Database } from '../database.ts';
import { writeParquet } from '../parquet/parquet-file.ts';
import { dailyTotals, INSERTS, majorUnits, REFUNDS, tableStatements } from './tables-sql.ts';
import { quote, quotePattern } from '../quote.ts';
import { TABLES } from '../tables.ts';

/** One database with all tables. */
export async function toDuckdb(conversion: Conversion): Promise<ConvertedTable[]> {
  const path = join(conversion.out, DATABASE_FILE);
  const rows = await withDatabase(conversion, (database) => fill(database, conversion, path));
  return TABLES.map(({ name }, index) => ({
    path: DATABASE_FILE,
    table: name,
    rows: rows[index] ?? 0,
  }));
}

async function fill(database: Database, conversion: Conversion, path: string): Promise<number[]> {
  const { months, timezone, signal, onProgress } = conversion;
  await database.run(`ATTACH ${quote(path)} AS sales (TYPE duckdb)`);
  await database.run('USE sales');
  for (const table of TABLES) for (const sql of tableStatements(table)) await database.run(sql);
  const total = Math.max(
    1,
    months.reduce((sum, { bytes }) => sum + bytes, 0),
  );
  let done = 0;
  for (const lines of months) {
    const staged = join(database.folder, 'objects.parquet');
    await writeParquet(database, lines, staged, undefined, signal, (fraction) =>
      onProgress?.(Math.min(1, (done + 0.6 * fraction * lines.bytes) / total)),
    );
    await database.run(
      `CREATE OR REPLACE TEMP VIEW objects AS
        FROM read_parquet(${quotePattern(staged)}, hive_partitioning = false)`,
    );
    for (const sql of INSERTS[lines.type]) await database.run(sql);
    await rm(staged);
    done += lines.bytes;
  }
  await database.run(REFUNDS);
  await database.run(dailyTotals(timezone));
  await database.run(majorUnits());
  const rows: number[] = [];
  for (const { name } of TABLES) rows.push(await database.count(`SELECT count(*) FROM ${name}`));
  await database.run('USE memory');
  // Detaching writes all of it to the file, and removes its journal.
  await database.run('CHECKPOINT sales');
  await database.run('DETACH sales');
  onProgress?.(1);
  return rows;
}
