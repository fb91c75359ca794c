import { open } from 'node:fs/promises';
import type { LinesFile } from '@tillroll/client/files';
import { LAYOUTS } from './layouts.ts';
import { walkLines } from './lines.ts';
import { lineOf, rowOf } from './rows.ts';
import { othersOf } from './others.ts';

/** JSON lines, and what DuckDB must know before it reads them. */
export interface Lines {
  path: string;
  gzip: boolean;
  /** Of the longest line, in bytes. */
  longest: number;
  /** Of all lines, inflated. */
  bytes: number;
  objects: number;
}

/**
 * DuckDB's reader skips members that it was not told about, and bends values into types. So every
 * line is looked at: undefined when one holds what no column can, which is rare.
 */
export async function inspect(
  file: LinesFile,
  signal: AbortSignal,
  onBytes: (bytes: number) => void,
): Promise<Lines | undefined> {
  const found = { path: file.path, gzip: file.gzip, longest: 0, bytes: 0, objects: 0 };
  let regular = true;
  await walkLines(
    file,
    LAYOUTS[file.type],
    signal,
    (walker, { start, end }) => {
      regular = !walker.irregular;
      found.objects++;
      found.longest = Math.max(found.longest, end - start);
      return regular;
    },
    (bytes) => {
      found.bytes += bytes;
      onBytes(found.bytes);
    },
  );
  return regular ? found : undefined;
}

/** Makes a copy in which the lines concerned carry what no column holds in `other`. */
export async function rewritten(
  file: LinesFile,
  path: string,
  signal: AbortSignal,
  onBytes: (bytes: number) => void,
): Promise<Lines> {
  const layout = LAYOUTS[file.type];
  const made = { path, gzip: false, longest: 0, bytes: 0, objects: 0 };
  const out = await open(path, 'w');
  let pieces: Buffer[] = [];
  let block: Buffer = Buffer.alloc(0);
  let from = 0;
  let read = 0;
  try {
    await walkLines(
      file,
      layout,
      signal,
      (walker, { bytes, start, end }) => {
        if (bytes !== block) [block, from] = [bytes, 0];
        made.objects++;
        if (!walker.irregular) {
          made.longest = Math.max(made.longest, end - start);
          return;
        }
        if (walker.unreadable) {
          const line = Buffer.from(`${lineOf(rowOf(walker, layout, bytes), layout)}\n`);
          made.longest = Math.max(made.longest, line.length);
          pieces.push(bytes.subarray(from, start), line);
          from = end + 1;
          return;
        }
        let { length } = bytes.subarray(start, end);
        for (const { at, text } of othersOf(walker, layout, bytes)) {
          const member = Buffer.from(text);
          length += member.length;
          pieces.push(bytes.subarray(from, at), member);
          from = at;
        }
        made.longest = Math.max(made.longest, length);
      },
      async (bytes) => {
        pieces.push(block.subarray(from));
        from = block.length;
        for (const piece of pieces) made.bytes += piece.length;
        await out.writeFile(Buffer.concat(pieces));
        pieces = [];
        onBytes((read += bytes));
      },
    );
  } finally {
    await out.close();
  }
  return made;
}
