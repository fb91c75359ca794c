import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { ExportType, TimeRange } from '@tillroll/contract';
import { onTestFinished } from 'vitest';
import { Counter } from '../src/assemble/tally.ts';
import { Directory, type Replacement } from '../src/directory/directory.ts';
import {
  DATABASE_FILE,
  idsPath,
  linesPath,
  MONTH_TABLES,
  tablePath,
  type Layout,
  type TableFormat,
} from '../src/directory/layout.ts';
import type { Receipt } from '../src/directory/receipt.ts';
import { describeBasis, type MonthRecord, type State } from '../src/directory/state.ts';
import type { OnWaiting } from '../src/http/retry.ts';
import { emptyMembers } from '../src/json/members.ts';
import { parseMonth } from '../src/time/zone.ts';
import { filesBelow, makeHead, sha256, UTC, type Sale } from './output-directory.ts';

export const JSONL = { format: 'jsonl', gzip: false } as const;

/** A lease that is renewed often, so that tests need not wait for seconds. */
export const FAST = { intervalMs: 50, patienceMs: 400 };

/** Opens a directory as a pull does; it is given up when the test ends. */
export async function openDirectory(
  out: string,
  kind: Omit<Layout, 'out'> & { fileMode?: number } = JSONL,
  onWaiting?: OnWaiting,
): Promise<Directory> {
  const signal = new AbortController().signal;
  const directory = await Directory.open(out, makeHead(kind), { signal, onWaiting, ...FAST });
  onTestFinished(() => directory[Symbol.asyncDispose]());
  return directory;
}

export interface StagedMonth {
  type: ExportType;
  month: string;
  record: MonthRecord;
  replaced: Replacement[];
}

/** Puts the files of a month into the staging folder: lines, index, and some text for each table. */
export async function stageMonth(
  directory: Directory,
  type: ExportType,
  month: string,
  sales: readonly Sale[],
  covers: TimeRange[] = [findBounds(month)],
): Promise<StagedMonth> {
  const { layout } = directory;
  const folder = await directory.stageFolder();
  const replaced: Replacement[] = [];
  const put = (path: string, bytes: Buffer): { bytes: number; sha256: string } => {
    const staged = join(folder, path.replaceAll('/', '-').replace('.tillroll', 'own'));
    mkdirSync(dirname(staged), { recursive: true });
    writeFileSync(staged, bytes);
    replaced.push({ staged, path });
    return { bytes: bytes.length, sha256: sha256(bytes) };
  };
  const { format } = layout;
  const tables = MONTH_TABLES[format][type].map((table) => ({
    table,
    rows: sales.length,
    ...put(tablePath(format as TableFormat, table, month), Buffer.from(`${table} of ${month}\n`)),
  }));
  const text = sales.map((sale) => `${JSON.stringify(sale)}\n`).join('');
  const bytes = layout.gzip ? gzipSync(text) : Buffer.from(text);
  const lines = put(linesPath(layout, type, month), bytes);
  put(idsPath(layout, type, month), Buffer.alloc(8 * sales.length));
  const counter = new Counter(type, covers, UTC);
  for (const sale of sales) counter.add({ ...emptyMembers(), ...sale });
  const { tally } = counter;
  const { first, last, objects } = tally;
  return {
    type,
    month,
    replaced,
    record: {
      covers,
      exports: [`E${month}`],
      lines: { ...lines, objects, first, last },
      tables,
      tally,
    },
  };
}

function findBounds(month: string): TimeRange {
  const { startTime, endTime } = parseMonth(month, UTC);
  return { startTime, endTime };
}

/** The change of a state that takes months up; the wanted span grows with them. */
export function takeMonths(months: readonly StagedMonth[]): (draft: State) => void {
  return (draft) => {
    for (const { type, month, record } of months) {
      const bounds = {
        startTime: record.covers[0]?.startTime ?? 0,
        endTime: record.covers.at(-1)?.endTime ?? 1,
      };
      const known = (draft.types[type] ??= {
        wanted: bounds,
        refreshFrom: null,
        months: {},
        exports: [],
      });
      known.wanted = {
        startTime: Math.min(known.wanted.startTime, bounds.startTime),
        endTime: Math.max(known.wanted.endTime, bounds.endTime),
      };
      known.months[month] = record;
    }
  };
}

/** Stages and commits months, as a pull does. */
export async function commitMonths(
  directory: Directory,
  months: readonly (readonly [ExportType, string, readonly Sale[]])[],
  reasons: ReadonlyMap<string, string> = new Map(),
): Promise<Receipt> {
  const staged: StagedMonth[] = [];
  for (const [type, month, sales] of months)
    staged.push(await stageMonth(directory, type, month, sales));
  const replaced = staged.flatMap((one) => one.replaced);
  const change = takeMonths(staged);
  if (directory.layout.format !== 'duckdb') return directory.commit(change, replaced, reasons);
  const folder = await directory.stageFolder();
  const database = Buffer.from('a database\n');
  writeFileSync(join(folder, 'database'), database);
  const made = { bytes: database.length, sha256: sha256(database), rows: 1 };
  const tables = ['line_items', 'orders'].map((table) => ({ table, ...made }));
  return directory.commit(
    (draft) => {
      change(draft);
      draft.database = { basis: describeBasis(draft), tables };
    },
    [...replaced, { staged: join(folder, 'database'), path: DATABASE_FILE }],
    reasons,
  );
}

export function at(month: string, day: number): number {
  return Date.parse(`${month}-${String(day).padStart(2, '0')}T10:00:00Z`);
}

export function sale(id: string, month: string, day = 3, total = 1000): Sale {
  return { id, createdTime: at(month, day), currency: 'USD', total };
}

export function readState(out: string): State {
  return JSON.parse(readFileSync(join(out, '.tillroll/state.json'), 'utf8')) as State;
}

/** January's orders, as `commitMonths` takes them. */
export const JANUARY = [
  'ORDERS',
  '2026-01',
  [sale('A', '2026-01'), sale('B', '2026-01', 9)],
] as const;

/** February's orders, as `commitMonths` takes them. */
export const FEBRUARY = [
  'ORDERS',
  '2026-02',
  [sale('C', '2026-02'), sale('D', '2026-02', 9)],
] as const;

/** Reads the published files of a directory. @returns their content by path */
export function publishedIn(out: string): Record<string, string> {
  const paths = filesBelow(out).filter((path) => !path.startsWith('.tillroll/'));
  return Object.fromEntries(paths.map((path) => [path, readFileSync(join(out, path), 'utf8')]));
}
