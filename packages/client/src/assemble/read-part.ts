import { createHash } from 'node:crypto';
import { closeSync, fstatSync } from 'node:fs';
import type { ExportFile } from '@tillroll/contract';
import { ExportError } from '../errors.ts';
import { inflate, isGzip, tryInflateWhole } from '../json/inflate.ts';
import { openForReading, readBytes, readChunks } from './files.ts';

/** Larger parts are read as a stream; so are those whose content is longer than the second bound. */
const WHOLE_BYTES = 8 * 1024 * 1024;
const WHOLE_CONTENT_BYTES = 32 * 1024 * 1024;
/** The longest content that is taken where the server states no length. */
const MAX_CONTENT_BYTES = 8 * 1024 ** 3;

/** The identity bytes of a part. */
export interface PartContent {
  bytes: number;
  /** Hex; undefined where nothing is expected. */
  sha256: string | undefined;
}

/**
 * Reads a part's content, inflated where it is gzip, however it was announced.
 * @param take is given chunks that belong to it.
 * @throws ExportError BAD_FILE when the part is missing, its gzip data is damaged, or it is longer than expected.
 */
export async function readPart(
  path: string,
  expected: ExportFile | undefined,
  take: (chunk: Buffer) => void,
): Promise<PartContent> {
  const hash = expected ? createHash('sha256') : undefined;
  let bytes = 0;
  const takeChunk = (chunk: Buffer): void => {
    // Before anything else: the taker may alter it.
    hash?.update(chunk);
    bytes += chunk.length;
    take(chunk);
  };
  const fd = openPart(path);
  const limit = expected?.bytes ?? MAX_CONTENT_BYTES;
  const whole = readWhole(fd, Math.min(limit, WHOLE_CONTENT_BYTES));
  if (whole) takeChunk(whole);
  else for await (const chunk of inflate(readChunks(fd), limit)) takeChunk(chunk);
  return { bytes, sha256: hash?.digest('hex') };
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
    return openForReading(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new ExportError('BAD_FILE', 'it is missing', { cause: error });
  }
}

/** @throws ExportError BAD_FILE when a part is not the file of the export's manifest. */
export function verifyAgainstManifest(
  expected: ExportFile | undefined,
  objects: number,
  { bytes, sha256 }: PartContent,
): void {
  if (!expected) return;
  if (expected.objects !== objects)
    throw new ExportError(
      'BAD_FILE',
      `it holds ${objects} objects, and ${expected.objects} were promised`,
    );
  if (expected.bytes !== bytes)
    throw new ExportError('BAD_FILE', `it has ${bytes} bytes of ${expected.bytes}`);
  if (expected.sha256 !== sha256)
    throw new ExportError(
      'BAD_FILE',
      `its SHA-256 is ${sha256}, and ${expected.sha256} was promised`,
    );
}
