import { mkdirSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { DuckDBInstance } from '@duckdb/node-api';
import type { ExportType } from '@tillroll/contract';
import type { Conversion, LinesFile } from '@tillroll/client/files';
import { convert } from '../src/index.ts';
import { TABLES, listColumns } from '../src/tables.ts';
import type { Table } from '../src/table-types.ts';

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
export type JsonObject = { [name: string]: Json };
/** Cells as text: times as epoch ms; null where there is nothing. */
export type Tables = Record<string, Record<string, string | null>[]>;

export async function temporary(): Promise<AsyncDisposable & { path: string }> {
  // A quote and a pattern's characters: paths are the user's.
  const path = await mkdtemp(join(tmpdir(), "formats [it's] k=v "));
  return {
    path,
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  };
}

export interface RangeOptions {
  month?: string;
  gzip?: boolean;
}

/** A month of JSON lines below `folder`; `lines` are objects, or texts as they are. */
export async function findRange(
  folder: string,
  type: ExportType,
  lines: readonly (object | string)[],
  { month = '2026-01', gzip = false }: RangeOptions = {},
): Promise<LinesFile> {
  const path = join(folder, `${type.toLowerCase()}-${month}.jsonl`);
  const texts = lines.map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`);
  // Several members, as a download that was put together has.
  const data = gzip
    ? Buffer.concat(texts.map((text) => gzipSync(text)))
    : Buffer.from(texts.join(''));
  await writeFile(path, data);
  return { type, month, path, gzip, objects: lines.length, bytes: data.length };
}

export function makeConversion(
  out: string,
  months: readonly LinesFile[],
  more: Partial<Conversion> = {},
): Conversion {
  const scratch = join(out, 'scratch');
  mkdirSync(scratch, { recursive: true });
  const signal = new AbortController().signal;
  return { months, timezone: 'UTC', columns: null, csvBom: false, out, scratch, signal, ...more };
}

/** RFC 4180, independent of what wrote it: a quoted empty field is a text, an unquoted one null. */
export function parseCsv(text: string): (string | null)[][] {
  const records: (string | null)[][] = [];
  let fields: (string | null)[] = [];
  for (let at = 0; at < text.length;) {
    if (text[at] === '"') {
      const pieces: string[] = [];
      for (let open = at + 1; ; open = at + 1) {
        const quote = text.indexOf('"', open);
        if (quote === -1) throw new Error('an open quote');
        pieces.push(text.slice(open, quote));
        at = quote + 1;
        if (text[at] !== '"') break;
      }
      fields.push(pieces.join('"'));
    } else {
      const start = at;
      while (at < text.length && !',\r\n'.includes(text[at] as string)) at++;
      fields.push(at === start ? null : text.slice(start, at));
    }
    if (text[at] === ',') {
      at++;
      if (text.startsWith('\r\n', at)) fields.push(null);
      else continue;
    }
    if (!text.startsWith('\r\n', at)) throw new Error(`no CRLF at ${at}`);
    at += 2;
    records.push(fields);
    fields = [];
  }
  return records;
}

export async function csvTables(out: string): Promise<Tables> {
  const tables: Tables = {};
  for (const table of TABLES) {
    const names = await readdir(join(out, table.name)).catch((): string[] => []);
    const rows: (string | null)[][] = [];
    let header: (string | null)[] = [];
    for (const name of names.toSorted()) {
      const records = parseCsv(await readFile(join(out, table.name, name), 'utf8'));
      header = records[0] ?? [];
      rows.push(...records.slice(1));
    }
    const times = new Set(listTimes(table));
    tables[table.name] = rows.map((row) => {
      if (row.length !== header.length) throw new Error(`${row.length} fields in ${table.name}`);
      return Object.fromEntries(
        header.map((column, index) => {
          const cell = row[index] ?? null;
          const time = cell !== null && times.has(column as string);
          return [column as string, time ? String(Date.parse(cell)) : cell];
        }),
      );
    });
  }
  return tables;
}

const listTimes = (table: Table) =>
  listColumns(table)
    .filter(({ type }) => type === 'TIMESTAMPTZ')
    .map(({ name }) => name);

/** The results of queries on a database, all as text. */
export async function query(path: string, sql: string): Promise<Record<string, string | null>[]> {
  const instance = await DuckDBInstance.create(path);
  const connection = await instance.connect();
  try {
    const result = await connection.runAndReadAll(sql);
    return result.getRowObjectsJson() as Record<string, string | null>[];
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

export async function duckdbTables(out: string): Promise<Tables> {
  const tables: Tables = {};
  for (const table of TABLES) {
    const columns = [...listColumns(table).map(({ name }) => name), 'other'];
    const times = new Set(listTimes(table));
    const cells = columns.map(
      (name) => `CAST(${times.has(name) ? `epoch_ms(${name})` : name} AS VARCHAR) AS ${name}`,
    );
    tables[table.name] = await query(
      join(out, 'sales.duckdb'),
      `SELECT ${cells.join(', ')} FROM ${table.name} ORDER BY rowid`,
    );
  }
  return tables;
}

/** Both forms of the same ranges. */
export async function bothTables(out: string, ranges: readonly LinesFile[]) {
  await convert('csv', makeConversion(out, ranges));
  await convert('duckdb', makeConversion(out, ranges));
  return { csv: await csvTables(out), duckdb: await duckdbTables(out) };
}
