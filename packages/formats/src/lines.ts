import { createReadStream } from 'node:fs';
import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { ExportError } from '@tillroll/client';
import type { LinesFile } from '@tillroll/client/files';
import type { Layout } from './shape.ts';
import { Walker } from './walk.ts';

const CHUNK_BYTES = 1024 * 1024;
const LINE_FEED = 0x0a;

/** The file's text, in buffers that begin and end with a line. */
async function* blocks(
  { path, gzip, bytes }: LinesFile,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  // Nothing at all is no gzip file.
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

/** A line that the walker has just walked; without its line feed. */
export interface Line {
  bytes: Buffer;
  start: number;
  end: number;
}

/**
 * Walks all lines of a file, in order. `atLine` is called for each; false ends it. `atBlock` is
 * awaited between them, every megabyte or so.
 */
export async function walkLines(
  file: LinesFile,
  layout: Layout,
  signal: AbortSignal,
  atLine: (walker: Walker, line: Line) => boolean | void,
  atBlock: (bytes: number) => Promise<void> | void = () => undefined,
): Promise<void> {
  const walker = new Walker(layout);
  let number = 0;
  try {
    for await (const bytes of blocks(file, signal)) {
      for (let start = 0; start < bytes.length;) {
        const feed = bytes.indexOf(LINE_FEED, start);
        const end = feed === -1 ? bytes.length : feed;
        number++;
        if (end > start) {
          walker.walk(bytes, start, end);
          if (atLine(walker, { bytes, start, end }) === false) return;
        }
        start = end + 1;
      }
      await atBlock(bytes.length);
    }
  } catch (cause) {
    const damaged =
      cause instanceof Error && 'code' in cause && String(cause.code).startsWith('Z_');
    if (!damaged && !(cause instanceof SyntaxError)) throw cause;
    const what = damaged ? 'the gzip file is damaged' : 'not a JSON object';
    throw new ExportError('BAD_FILE', `${file.path}, line ${number}: ${what}`, {
      cause,
      hint: 'Remove the file and pull the range again.',
    });
  }
}
