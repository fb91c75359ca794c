/** Measures making Parquet against DuckDB over JSON lines. */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { median, run, seconds } from '../measure.ts';
import { report } from '../report.ts';
import { tillroll, type Connection } from './command.ts';
import { SPAN } from './directory.ts';

const COPY = `
import { DuckDBInstance } from '@duckdb/node-api';
const instance = await DuckDBInstance.create(':memory:');
const connection = await instance.connect();
await connection.run(process.argv[2]);
const rows = await connection.runAndReadAll(process.argv[3]);
console.log(String(rows.getRows()[0][0]));
`;

/** To Parquet with all columns, typed, against JSON lines and then DuckDB's own guess at them. */
export async function measureParquet(
  connection: Connection,
  directory: string,
  orders: number,
  rounds: number,
): Promise<void> {
  const ours = join(directory, 'parquet');
  const lines = join(directory, 'for-duckdb');
  const script = join(import.meta.dirname, '../../node_modules', '.tillroll-bench-copy.mjs');
  await writeFile(script, COPY);
  const duckdb = async (sql: string, count: string): Promise<number> =>
    Number((await run(process.execPath, [script, sql, count])).stdout.trim());
  const ratios: number[] = [];
  const times: [number, number][] = [];
  let rows = 0;
  try {
    for (let round = 0; round <= rounds; round++) {
      for (const out of [ours, lines]) await rm(out, { recursive: true, force: true });
      const pull = ['pull', ...SPAN, '--types', 'orders', '--quiet', '--out'];
      const a = await seconds(() => tillroll([...pull, ours, '--format', 'parquet'], connection));
      const b = await seconds(async () => {
        await tillroll([...pull, lines], connection);
        const target = `${lines}/orders.parquet`;
        await duckdb(
          `COPY (SELECT * FROM read_json('${lines}/orders/*.jsonl')) TO '${target}' (FORMAT parquet)`,
          'SELECT 1',
        );
      });
      if (round === 0) continue;
      ratios.push(a / b);
      times.push([a, b]);
    }
    rows = await duckdb('SELECT 1', `SELECT count(*) FROM '${ours}/orders/*.parquet'`);
  } finally {
    await rm(script, { force: true });
  }
  const ratio = median(ratios);
  report(
    `pull of ${orders} orders to Parquet, against JSON lines then DuckDB's COPY`,
    `${ratio.toFixed(2)} times (${median(times.map(([a]) => a)).toFixed(2)} s, ${median(times.map(([, b]) => b)).toFixed(2)} s), ${rows} rows`,
    'under 1.5',
    ratio < 1.5 && rows === orders,
  );
  if (rows !== orders) process.exitCode = 1;
}
