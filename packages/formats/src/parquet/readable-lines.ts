/** Rewrites JSON lines that DuckDB's reader would misread. */
import { open } from 'node:fs/promises';
import type { LinesFile } from '@tillroll/client/files';
import { TAPE, type CompiledTable, type Scanner } from '@tillroll/client/json';
import { COMPILED, scanLines } from '../scan-lines.ts';
import { readRow, writeRow } from '../row.ts';
import { OTHER, ROWS } from '../tables.ts';
import { listInsertions } from '../unmapped.ts';

/** JSON lines, and what DuckDB must know before it reads them. */
export interface ReadableLines {
  path: string;
  gzip: boolean;
  /** Length of the longest line in bytes. */
  longest: number;
  /** Length of all lines in bytes, inflated. */
  bytes: number;
  objects: number;
}

/**
 * The lines as DuckDB reads all of them. Its reader skips members that it was not told about, so a
 * file with a member that no column holds is copied to `copyPath`, where the lines concerned have
 * such members in `other`.
 */
export async function makeReadable(
  file: LinesFile,
  copyPath: string,
  signal: AbortSignal,
  onBytes: (bytes: number) => void,
): Promise<ReadableLines> {
  return (
    (await inspect(file, signal, onBytes)) ?? (await copyReadable(file, copyPath, signal, onBytes))
  );
}

/** @returns undefined when a member is in no column. */
async function inspect(
  file: LinesFile,
  signal: AbortSignal,
  onBytes: (bytes: number) => void,
): Promise<ReadableLines | undefined> {
  const found = { path: file.path, gzip: file.gzip, longest: 0, bytes: 0, objects: 0 };
  let isRegular = true;
  await scanLines(
    file,
    signal,
    (scanner, { start, end }) => {
      found.objects++;
      found.longest = Math.max(found.longest, end - start);
      isRegular = !scanner.hasUnmapped && !scanner.hasEscapedNames && !scanner.hasUnusualNumbers;
      return isRegular;
    },
    (bytes) => onBytes((found.bytes += bytes)),
  );
  // An empty file is not gzip.
  return isRegular ? { ...found, gzip: file.gzip && file.bytes > 0 } : undefined;
}

async function copyReadable(
  file: LinesFile,
  path: string,
  signal: AbortSignal,
  onBytes: (bytes: number) => void,
): Promise<ReadableLines> {
  const compiled = COMPILED[file.type];
  const rows = ROWS[file.type];
  const copy = { path, gzip: false, longest: 0, bytes: 0, objects: 0 };
  await using out = await open(path, 'w');
  let pieces: Buffer[] = [];
  const add = (line: readonly Buffer[]) => {
    const length = line.reduce((sum, piece) => sum + piece.length, 0);
    copy.objects++;
    copy.longest = Math.max(copy.longest, length);
    copy.bytes += length;
    pieces.push(...line);
  };
  let read = 0;
  await scanLines(
    file,
    signal,
    (scanner, { bytes, start, end }) => {
      if (isMisread(scanner, compiled, bytes)) {
        add([Buffer.from(`${writeRow(readRow(scanner, compiled, rows, bytes), rows)}\n`)]);
        return;
      }
      const line: Buffer[] = [];
      let from = start;
      for (const { at, text } of listInsertions(scanner, compiled, bytes, end - 1)) {
        line.push(bytes.subarray(from, at), Buffer.from(text));
        from = at;
      }
      add([...line, bytes.subarray(from, end), LINE_END]);
    },
    async (bytes) => {
      await out.writeFile(Buffer.concat(pieces));
      pieces = [];
      onBytes((read += bytes));
    },
  );
  return copy;
}

const LINE_END = Buffer.from('\n');

/**
 * Tells whether DuckDB's reader, which passes over unknown members, would take one for a column's, or would
 * refuse its text or round it: names that come again or differ in case, names in escapes, half surrogate pairs, whole
 * numbers that are not digits alone.
 */
function isMisread(scanner: Scanner, { shapes }: CompiledTable, bytes: Buffer): boolean {
  const { tape, length } = scanner;
  if (scanner.hasEscapedNames || scanner.hasUnusualNumbers) return true;
  if (scanner.hasUnmapped && scanner.hasSurrogates) return true;
  for (let at = 0; at < length; at += 4) {
    if (tape[at] !== TAPE.OTHER) continue;
    const start = (tape[at + 2] as number) + 1;
    const name = bytes.toString('utf8', start, bytes.indexOf('"', start)).toLowerCase();
    const known = shapes[tape[at + 1] as number]?.names ?? [];
    if (name === OTHER || known.some((each) => each.toLowerCase() === name)) return true;
  }
  return false;
}
