import { closeSync, fstatSync } from 'node:fs';
import type { ExportFile } from '@tillroll/contract';
import { contentLimit } from '../download/check-content.ts';
import { ExportError } from '../errors.ts';
import { inflate, isGzip, tryInflateWhole } from '../json/inflate.ts';
import { openForReadingSync, readBytes, readChunks } from './files.ts';

/** Larger parts are read as a stream; so are those whose content is longer than the second bound. */
const WHOLE_BYTES = 8 * 1024 * 1024;
const WHOLE_CONTENT_BYTES = 32 * 1024 * 1024;

/**
 * Reads a part's content, inflated where it is gzip, however it was announced.
 * @param take is given chunks that belong to it.
 * @throws ExportError BAD_FILE when the part is missing, its gzip data is damaged, or it is longer than expected.
 */
export async function readPart(
  path: string,
  expected: ExportFile | undefined,
  take: (chunk: Buffer) => void,
): Promise<void> {
  const fd = openPart(path);
  const limit = contentLimit(expected);
  const whole = readWhole(fd, Math.min(limit, WHOLE_CONTENT_BYTES));
  if (whole) take(whole);
  else for await (const chunk of inflate(readChunks(fd), limit)) take(chunk);
}

/** Closes `fd` unless it returns undefined: the content is longer than `limit`, or may be. */
function readWhole(fd: number, limit: number): Buffer | undefined {
  let isDone = true;
  try {
    const size = fstatSync(fd).size;
    const head = readBytes(fd, 2, 0);
    const most = isGzip(head) ? WHOLE_BYTES : limit;
    const content = size > most ? undefined : tryInflateWhole(readBytes(fd, size, 0), limit);
    isDone = content !== undefined;
    return content;
  } finally {
    if (isDone) closeSync(fd);
  }
}

function openPart(path: string): number {
  try {
    return openForReadingSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new ExportError('BAD_FILE', 'it is missing', { cause: error });
  }
}
