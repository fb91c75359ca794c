/** Reads the content of a raw file: small ones whole and ahead of their turn, large ones as a stream. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { openForReading, READ_FLAGS } from '../disk/entries.ts';
import { findErrno } from '../disk/errors.ts';
import { chooseContentLimit } from '../download/check-content.ts';
import { ExportError } from '../errors.ts';
import { inflate, inflateWhole } from '../json/inflate.ts';
import { freeBuffer } from './free-buffer.ts';
import type { PartInput } from './job.ts';
import { CHUNK_BYTES } from './read-lines.ts';

/** Longer content is read as a stream: some parts are read ahead. */
const WHOLE_BYTES = 8 * 1024 * 1024;

/** The content of a part, inflated where it is gzip, however it was announced. */
export interface PartContent {
  /** Whole, with its hex SHA-256 where one is expected; undefined for a large part, which is streamed when it is added. */
  whole: Buffer | undefined;
  sha256: string | undefined;
}

/**
 * Reads a part ahead of its turn. Reading, inflating and hashing happen beside the calling thread, which is
 * busy with the part before.
 * @throws ExportError BAD_FILE when the part is missing, its gzip data is damaged, or it is longer than expected.
 */
export async function readPartAhead({ path, expected }: PartInput): Promise<PartContent> {
  const whole = await readWhole(path, Math.min(chooseContentLimit(expected), WHOLE_BYTES));
  const sum = whole && expected && (await crypto.subtle.digest('SHA-256', whole));
  return { whole, sha256: sum && Buffer.from(sum).toString('hex') };
}

/** Reads the content of a part in chunks, which belong to `onChunk`. @throws ExportError BAD_FILE as soon as it is known. */
export async function readContent(
  { path, expected }: PartInput,
  { whole }: PartContent,
  onChunk: (chunk: Buffer) => void | Promise<void>,
): Promise<void> {
  if (whole) return onChunk(whole);
  await using file = await openForReading(path);
  const chunks = file.createReadStream({ highWaterMark: CHUNK_BYTES, autoClose: false });
  for await (const chunk of inflate(chunks, chooseContentLimit(expected))) await onChunk(chunk);
}

/** Reads the whole content of a part. @returns undefined when it is longer than `limit`, or may be. */
async function readWhole(path: string, limit: number): Promise<Buffer | undefined> {
  const raw = readSmall(path, limit);
  if (!raw) return undefined;
  const content = await inflateWhole(raw, limit);
  if (content !== raw) freeBuffer(raw);
  return content;
}

/** Reads a small file synchronously, which saves a fifth of the worker's time. @returns undefined for a larger one. */
function readSmall(path: string, limit: number): Buffer | undefined {
  const fd = openPart(path);
  try {
    const { size } = fstatSync(fd);
    if (size > limit) return undefined;
    const bytes = Buffer.allocUnsafe(size);
    return bytes.subarray(0, readSync(fd, bytes, 0, size, 0));
  } finally {
    closeSync(fd);
  }
}

function openPart(path: string): number {
  try {
    return openSync(path, READ_FLAGS);
  } catch (error) {
    if (findErrno(error) !== 'ENOENT') throw error;
    throw new ExportError('BAD_FILE', 'it is missing', { cause: error });
  }
}
