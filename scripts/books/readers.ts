/**
 * Reads a pulled directory with programs of other makers (Python, jq, hyparquet, DuckDB). Each finds what `Found`
 * describes.
 */
import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { DuckDBInstance } from '@duckdb/node-api';
import { parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import {
  add,
  findBusinessDay,
  findMonth,
  type Figures,
  type Found,
  type Place,
} from './expected.ts';
import { LARGE } from './book.ts';

const run = promisify(execFile);
const HERE = import.meta.dirname;
const MAX_OUTPUT = 64 * 1024 * 1024;

type Reader = (directory: string, zone: string, places: readonly Place[]) => Promise<Found>;

/** Python's own csv, whose integers are exact. */
export const readWithPython: Reader = async (directory, zone, places) => {
  const program = join(HERE, 'read_csv.py');
  const { stdout } = await run(
    '/usr/bin/env',
    ['python3', program, directory, zone, JSON.stringify(places)],
    { maxBuffer: MAX_OUTPUT },
  );
  return JSON.parse(stdout) as Found;
};

/** Arguments: the program, the directory, the zone, the currency that is not read, the kind, the closing hour. */
const JQ = `set -euo pipefail
cat "$1"/*.jsonl |
  TZ="$2" jq -c '.clocks = (.createdTime / 1000 | floor | strflocaltime("%Y-%m-%dT%H:%M:%SZ"))' |
  TZ=UTC jq -n -f "$0" --arg zone "$2" --arg large "$3" --arg kind "$4" --argjson closing "$5"`;

/** jq over JSON lines. It finds nothing of the currency `LARGE`. */
export const readWithJq: Reader = async (directory, zone, places) => {
  const ask = async (
    type: string,
    kind: string,
    place: string,
    closing: number,
  ): Promise<Figures> => {
    const { stdout } = await run(
      'bash',
      [
        '-c',
        JQ,
        join(HERE, 'read_lines.jq'),
        join(directory, type.toLowerCase()),
        place,
        LARGE,
        kind,
        String(closing),
      ],
      { maxBuffer: MAX_OUTPUT },
    );
    return JSON.parse(stdout) as Figures;
  };
  const months = await Promise.all(['ORDERS', 'PAYMENTS'].map((type) => ask(type, type, zone, 0)));
  const days = await Promise.all(
    places.map((place) => ask('PAYMENTS', 'days', place.zone, place.closingHour)),
  );
  return {
    months: Object.assign({}, ...months) as Figures,
    days: Object.assign({}, ...days) as Figures,
  };
};

interface ParquetObject {
  currency: string | null;
  created_time: Date;
  total?: bigint | null;
  amount?: bigint | null;
  result?: string | null;
  refunds: { amount: bigint | null }[];
}

/** hyparquet, a reader in JavaScript alone. */
export const readWithHyparquet: Reader = async (directory, zone, places) => {
  const found: Found = { months: {}, days: {} };
  for (const type of ['ORDERS', 'PAYMENTS']) {
    const folder = join(directory, type.toLowerCase());
    for (const name of await readdir(folder)) {
      const bytes = await readFile(join(folder, name));
      const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
      const objects = (await parquetReadObjects({
        file,
        compressors,
      })) as unknown as ParquetObject[];
      for (const { currency, created_time, total, amount, result, refunds } of objects) {
        if (type === 'PAYMENTS' && result !== 'SUCCESS') continue;
        const time = created_time.getTime();
        const sums = { objects: 1, amount: (type === 'ORDERS' ? total : amount) ?? 0n };
        const refundAmount = refunds.reduce((sum, each) => sum + (each.amount ?? 0n), 0n);
        add(found.months, `${type} ${findMonth(time, zone)} ${currency ?? '-'}`, {
          ...sums,
          refundAmount,
        });
        if (type === 'PAYMENTS')
          for (const place of places)
            add(
              found.days,
              `${place.zone} ${findBusinessDay(time, place)} ${currency ?? '-'}`,
              sums,
            );
      }
    }
  }
  return found;
};

/** DuckDB over its own database, with the queries of docs/formats.md. */
export const readWithDuckdb: Reader = async (directory, zone, places) => {
  await using database = await openDatabase(join(directory, 'sales.duckdb'));
  const month = (time: string): string => `strftime(${time} AT TIME ZONE '${zone}', '%Y-%m')`;
  const monthSums = (type: string, table: string, column: string, only: string): string => `
    SELECT '${type} ' || ${month('created_time')} || ' ' || coalesce(currency, '-') AS kind,
      count(*) AS objects, coalesce(sum(${column}), 0) AS amount,
      coalesce(sum((SELECT sum(r.amount) FROM ${table}_refunds r WHERE r.${table}_id = o.id)), 0) AS "refundAmount"
    FROM ${table}s o WHERE ${only} GROUP BY kind`;
  const months = await database.figures(`
    ${monthSums('ORDERS', 'order', 'total', 'true')} UNION ALL
    ${monthSums('PAYMENTS', 'payment', 'amount', "result = 'SUCCESS'")}`);
  const days: Figures = {};
  for (const { zone: place, closingHour } of places)
    Object.assign(
      days,
      await database.figures(`
        SELECT '${place} ' || (created_time AT TIME ZONE '${place}' - INTERVAL ${closingHour} HOUR)::DATE
            || ' ' || coalesce(currency, '-') AS kind,
          count(*) AS objects, coalesce(sum(amount), 0) AS amount
        FROM payments WHERE result = 'SUCCESS' GROUP BY kind`),
    );
  return { months, days };
};

/** The view `daily_totals` of a directory, by `2026-01-31 USD`; without what is 0. */
export async function readDailyTotals(directory: string): Promise<Figures> {
  await using database = await openDatabase(join(directory, 'sales.duckdb'));
  const figures = await database.figures(
    `SELECT day || ' ' || coalesce(currency, '-') AS kind, * EXCLUDE (day, currency) FROM daily_totals`,
  );
  return withoutZeros(figures);
}

export function withoutZeros(figures: Figures): Figures {
  return Object.fromEntries(
    Object.entries(figures).map(([kind, sums]) => [
      kind,
      Object.fromEntries(Object.entries(sums).filter(([, value]) => value !== '0')),
    ]),
  );
}

async function openDatabase(
  path: string,
): Promise<AsyncDisposable & { figures: (sql: string) => Promise<Figures> }> {
  const instance = await DuckDBInstance.create(path, { access_mode: 'READ_ONLY' });
  const connection = await instance.connect();
  return {
    async figures(sql) {
      const answer = await connection.runAndReadAll(sql);
      return Object.fromEntries(
        answer
          .getRowObjects()
          .map(({ kind, ...sums }) => [
            String(kind),
            Object.fromEntries(Object.entries(sums).map(([name, value]) => [name, String(value)])),
          ]),
      );
    },
    async [Symbol.asyncDispose]() {
      connection.closeSync();
      instance.closeSync();
    },
  };
}
