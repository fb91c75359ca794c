/** Scans the JSON lines of a month, line by line. */
import { createReadStream } from 'node:fs';
import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type { ExportType } from '@tillroll/contract';
import { ExportError } from '@tillroll/client';
import type { LinesFile } from '@tillroll/client/files';
import { compileTable, JsonFault, Scanner, type CompiledTable } from '@tillroll/client/json';
import { ROWS } from './tables.ts';

const CHUNK_BYTES = 1024 * 1024;
const LINE_FEED = 0x0a;
/** JSON lines are about so many times as long as their gzip file. */
const GZIP_RATIO = 10;

/** The tables of the scanner for an object of a type: columns, and members that none holds. */
export const COMPILED: Record<ExportType, CompiledTable> = {
  ORDERS: compileTable(ROWS.ORDERS, true),
  PAYMENTS: compileTable(ROWS.PAYMENTS, true),
};

/** The length of all lines in bytes, inflated; about, where the file is gzip. At least 1, to divide by. */
export function estimateBytes({ bytes, gzip }: LinesFile): number {
  return Math.max(1, bytes * (gzip ? GZIP_RATIO : 1));
}

/** The file's text, in buffers that begin and end with a line. */
async function* readBlocks(
  { path, gzip, bytes }: LinesFile,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  // An empty file is not gzip.
  if (bytes === 0) return;
  const file = createReadStream(path, { highWaterMark: CHUNK_BYTES, signal });
  const source: Readable = gzip
    ? // Errors of either reach the loop below.
      pipeline(file, createGunzip({ chunkSize: CHUNK_BYTES }), () => undefined)
    : file;
  let left: Buffer[] = [];
  for await (const chunk of source as AsyncIterable<Buffer>) {
    const end = chunk.lastIndexOf(LINE_FEED) + 1;
    if (end === 0) {
      left.push(chunk);
      continue;
    }
    const whole = chunk.subarray(0, end);
    yield left.length === 0 ? whole : Buffer.concat([...left, whole]);
    left = end === chunk.length ? [] : [chunk.subarray(end)];
  }
  if (left.length > 0) yield Buffer.concat(left);
}

/** A line that was scanned; without its line feed. */
export interface Line {
  bytes: Buffer;
  start: number;
  end: number;
}

/**
 * Scans all lines of a file, in order. `onLine` is called for each; false ends it. `onBlock` is
 * awaited between them, every megabyte or so.
 * @throws ExportError BAD_FILE
 */
export async function scanLines(
  file: LinesFile,
  signal: AbortSignal,
  onLine: (scanner: Scanner, line: Line) => boolean | void,
  onBlock: (bytes: number) => Promise<void> | void = () => undefined,
): Promise<void> {
  const scanner = new Scanner(COMPILED[file.type]);
  let number = 0;
  try {
    for await (const bytes of readBlocks(file, signal)) {
      for (let start = 0; start < bytes.length;) {
        const feed = bytes.indexOf(LINE_FEED, start);
        const end = feed === -1 ? bytes.length : feed;
        number++;
        if (scanner.scan(bytes, start, end) !== end) throw new JsonFault(end, 'one object');
        if (onLine(scanner, { bytes, start, end }) === false) return;
        start = end + 1;
      }
      await onBlock(bytes.length);
    }
  } catch (cause) {
    const isDamaged =
      cause instanceof Error && 'code' in cause && String(cause.code).startsWith('Z_');
    if (!isDamaged && !(cause instanceof JsonFault)) throw cause;
    const what = isDamaged ? 'the gzip file is damaged' : 'not a JSON object';
    throw new ExportError('BAD_FILE', `${file.path}, line ${number}: ${what}`, {
      cause,
      hint: 'Delete the file and run the pull again.',
    });
  }
}
