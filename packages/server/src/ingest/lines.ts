import { MAX_BODY_BYTES, MAX_LINE_BYTES } from '@tillroll/contract';
import { TooLarge } from './errors.ts';

/** A line without its line break. Valid until the next batch is asked for. */
export interface Line {
  /** Counts from 1, empty lines included. */
  number: number;
  bytes: Buffer;
}

const LF = 0x0a;
const CR = 0x0d;
const BOM = Buffer.from([0xef, 0xbb, 0xbf]);

/** Nothing but spaces and tabs. An object's first byte settles it. */
function isBlank(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0x20 || byte === 0x09 || byte === CR);
}

/**
 * Cuts a body into lines (NDJSON): LF or CRLF, a byte order mark and empty lines passed over, the last
 * line with or without a break. Holds at most one line.
 * @throws TooLarge for a line above 8 MiB or a body above 4 GiB.
 */
export async function* readLines(
  body: AsyncIterable<Buffer>,
  limits = { line: MAX_LINE_BYTES, body: MAX_BODY_BYTES },
): AsyncGenerator<Line[]> {
  let parts: Buffer[] = [];
  let held = 0;
  let total = 0;
  let number = 0;

  const take = (end: Buffer): Line | null => {
    number++;
    let bytes = parts.length === 0 ? end : Buffer.concat([...parts, end]);
    parts = [];
    held = 0;
    if (bytes.at(-1) === CR) bytes = bytes.subarray(0, -1);
    if (number === 1 && bytes.subarray(0, 3).equals(BOM)) bytes = bytes.subarray(3);
    if (bytes.length > limits.line) tooLong();
    if (isBlank(bytes)) return null;
    return { number, bytes };
  };
  const tooLong = (): never => {
    throw new TooLarge(
      `line ${Math.max(1, number)}: longer than ${limits.line} bytes, the most a line may have`,
    );
  };

  for await (const chunk of body) {
    total += chunk.length;
    if (total > limits.body)
      throw new TooLarge(`the body is larger than ${limits.body} bytes after inflating`);
    const lines: Line[] = [];
    let from = 0;
    for (let at = chunk.indexOf(LF); at >= 0; at = chunk.indexOf(LF, from)) {
      const line = take(chunk.subarray(from, at));
      if (line) lines.push(line);
      from = at + 1;
    }
    if (from < chunk.length) {
      held += chunk.length - from;
      if (held > limits.line + BOM.length + 1) {
        number++;
        tooLong();
      }
      parts.push(chunk.subarray(from));
    }
    if (lines.length > 0) yield lines;
  }
  if (held > 0) {
    const line = take(Buffer.alloc(0));
    if (line) yield [line];
  }
}
