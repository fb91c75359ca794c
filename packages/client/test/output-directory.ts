import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { onTestFinished } from 'vitest';
import type { DirectoryHead, DoneRange, StoredFile } from '../src/files/journal.ts';
import {
  absolute,
  isServed,
  linesPath,
  servedFolder,
  servedPath,
  type Layout,
  type Place,
  type TypedRange,
} from '../src/files/layout.ts';
import { Counter } from '../src/files/tally.ts';
import { emptyMembers } from '../src/json/members.ts';
import { Zone } from '../src/zone.ts';

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

export function temporary(): string {
  const path = mkdtempSync(join(base(), 'tillroll-client-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

export function headOf(layout: Omit<Layout, 'out'>): DirectoryHead {
  return { source: { url: 'https://sales.example', merchant: 'M1' }, timezone: 'UTC', ...layout };
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Puts objects where a pull would have put them, and says so as the journal would. */
export function stored(
  layout: Layout,
  place: Place,
  range: TypedRange,
  sales: readonly Sale[],
  perFile = 3,
): DoneRange {
  const texts = sales.map((sale) => JSON.stringify(sale));
  const groups = [];
  if (isServed(layout))
    for (let i = 0; i < sales.length; i += perFile) groups.push({ from: i, to: i + perFile });
  else groups.push({ from: 0, to: sales.length });
  const files = groups.map(({ from, to }, position): StoredFile => {
    const group = texts.slice(from, to);
    const path = isServed(layout)
      ? servedPath(layout, servedFolder(layout, place, range), position)
      : linesPath(layout, place, range);
    const text = isServed(layout)
      ? `{"elements":[${group.join(position % 2 === 0 ? ',' : ',\n ')}]}\n`
      : group.map((line) => `${line}\n`).join('');
    const bytes = layout.gzip ? gzipSync(text) : Buffer.from(text);
    const to_ = absolute(layout, path);
    mkdirSync(dirname(to_), { recursive: true });
    writeFileSync(to_, bytes);
    const times = sales.slice(from, to).map(({ createdTime }) => createdTime);
    return {
      path,
      objects: group.length,
      bytes: bytes.length,
      sha256: sha256(bytes),
      first: times.length > 0 ? Math.min(...times) : null,
      last: times.length > 0 ? Math.max(...times) : null,
    };
  });
  return { ...range, place, exports: [`E${range.startTime}`], tally: tallyOf(range, sales), files };
}

export function tallyOf(range: TypedRange, sales: readonly Sale[]): DoneRange['tally'] {
  const counter = new Counter(range.type, range, UTC);
  for (const sale of sales) counter.add({ ...emptyMembers(), ...sale });
  return counter.tally;
}

/** What the files of a range hold; also checks that they are what the journal says. */
export function contentOf(layout: Layout, { files }: Pick<DoneRange, 'files'>): Sale[] {
  return files.flatMap((file) => {
    const bytes = readFileSync(absolute(layout, file.path));
    if (bytes.length !== file.bytes || sha256(bytes) !== file.sha256)
      throw new Error(`${file.path} is not what the journal says`);
    const text = (layout.gzip ? gunzipSync(bytes) : bytes).toString('utf8');
    const sales = isServed(layout)
      ? (JSON.parse(text) as { elements: Sale[] }).elements
      : text
          .split('\n')
          .slice(0, -1)
          .map((line) => JSON.parse(line) as Sale);
    if (sales.length !== file.objects)
      throw new Error(`${file.path} holds ${sales.length} objects`);
    const times = sales.map(({ createdTime }) => createdTime);
    if (times.length > 0 && (file.first !== Math.min(...times) || file.last !== Math.max(...times)))
      throw new Error(`${file.path} has other times`);
    return sales;
  });
}

/** Every file below a directory, without what a pull keeps for itself. */
export function filesBelow(out: string): string[] {
  return readdirSync(out, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(out.length + 1))
    .filter((path) => !path.startsWith('.tillroll/state') && !path.startsWith('.tillroll/lock'))
    .toSorted();
}

/** The order of everything: by createdTime, then by id as bytes. */
export function inOrder(a: Sale, b: Sale): number {
  return a.createdTime - b.createdTime || Buffer.compare(Buffer.from(a.id), Buffer.from(b.id));
}
