import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { stringifyExact, type ExportType } from '@tillroll/contract';
import { onTestFinished } from 'vitest';
import { Counter, type Tally } from '../src/assemble/tally.ts';
import { absolutePath, linesPath, type Layout } from '../src/directory/layout.ts';
import type { DirectorySettings, MonthRecord } from '../src/directory/state.ts';
import { emptyMembers } from '../src/json/members.ts';
import { parseMonth, Zone } from '../src/time/zone.ts';

/** An order or a payment, as small as it may be. */
export interface Sale {
  id: string;
  createdTime: number;
  modifiedTime?: number;
  currency?: string;
  total?: number;
  amount?: number;
  result?: string;
  note?: string;
}

export const UTC = new Zone('UTC');

/** In memory where there is such a place: these tests would spend their time waiting for a disk. */
function base(): string {
  try {
    accessSync('/dev/shm', constants.W_OK);
    return '/dev/shm';
  } catch {
    return tmpdir();
  }
}

/** Makes a folder that is removed when the test ends. */
export function temporary(): string {
  const path = mkdtempSync(join(base(), 'tillroll-client-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

export function makeHead(layout: Omit<Layout, 'out'>): DirectorySettings {
  return {
    source: { url: 'https://sales.example', merchant: 'M1' },
    columns: null,
    csvBom: false,
    timezone: 'UTC',
    fileMode: 0o600,
    ...layout,
  };
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Writes a month's lines where a pull writes them, without tables or id index. @returns what the state says of it. */
export function storeMonth(
  layout: Layout,
  type: ExportType,
  month: string,
  sales: readonly Sale[],
): MonthRecord {
  const text = sales.map((sale) => `${JSON.stringify(sale)}\n`).join('');
  const bytes = layout.gzip ? gzipSync(text) : Buffer.from(text);
  const path = absolutePath(layout, linesPath(layout, type, month));
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes, { mode: 0o600 });
  const { startTime, endTime } = parseMonth(month, UTC);
  const covers = [{ startTime, endTime }];
  const counter = new Counter(type, covers, UTC);
  for (const sale of sales) counter.add({ ...emptyMembers(), ...sale });
  const times = sales.map(({ createdTime }) => createdTime);
  return {
    covers,
    exports: [],
    lines: {
      objects: sales.length,
      bytes: bytes.length,
      sha256: sha256(bytes),
      first: times.length > 0 ? Math.min(...times) : null,
      last: times.length > 0 ? Math.max(...times) : null,
    },
    tables: [],
    tally: counter.tally,
  };
}

/** Every file below a directory, without the state and the lock of a pull. */
export function filesBelow(out: string): string[] {
  return readdirSync(out, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(out.length + 1))
    .filter((path) => !path.startsWith('.tillroll/state') && !path.startsWith('.tillroll/lock'))
    .toSorted();
}

/** Orders as all files do: by createdTime, then by id as bytes. */
export function inOrder(a: Sale, b: Sale): number {
  return a.createdTime - b.createdTime || Buffer.compare(Buffer.from(a.id), Buffer.from(b.id));
}

/** A tally with its sums in one order, whatever came first. */
export function ordered(tally: Tally): Tally {
  const byText = (a: object, b: object): number => (stringifyExact(a) < stringifyExact(b) ? -1 : 1);
  return { ...tally, sums: tally.sums.toSorted(byText), months: tally.months.toSorted(byText) };
}
