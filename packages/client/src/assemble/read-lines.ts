import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { ExportError } from '../errors.ts';
import { inflate } from '../json/inflate.ts';
import { ObjectReader, type OnObject } from '../json/object-reader.ts';
import { CHUNK_BYTES, notRegular, openForReading, READ_FLAGS, readChunks } from './files.ts';
import type { LinesSummary } from './lines-writer.ts';

/**
 * Reads a file of JSON lines, asynchronously.
 * @throws ExportError BAD_FILE, DIRECTORY (not a regular file), INTERRUPTED; system errors as they are.
 */
export async function readLines(
  path: string,
  gzip: boolean,
  onObject: OnObject,
  signal?: AbortSignal,
): Promise<LinesSummary> {
  const throwIfAborted = (): void => {
    if (signal?.aborted) throw new ExportError('INTERRUPTED', 'interrupted');
  };
  throwIfAborted();
  const file = await open(path, READ_FLAGS).catch((error: unknown) => {
    throw (error as NodeJS.ErrnoException).code === 'ELOOP' ? notRegular(path, error) : error;
  });
  try {
    if (!(await file.stat()).isFile()) throw notRegular(path);
    const chunks = file.createReadStream({ highWaterMark: CHUNK_BYTES, autoClose: false });
    return await readObjects(chunks, gzip, onObject, throwIfAborted);
  } finally {
    await file.close();
  }
}

/** As `readLines`, with synchronous reads: for the worker. @param throwIfAborted is called for each chunk. */
export async function readLinesSync(
  path: string,
  gzip: boolean,
  onObject: OnObject,
  throwIfAborted: () => void = () => undefined,
): Promise<LinesSummary> {
  return readObjects(readChunks(openForReading(path)), gzip, onObject, throwIfAborted);
}

/**
 * Reads a month's file whose hash is known, in the worker.
 * @throws ExportError DIRECTORY when it is not the file that was written.
 */
export async function readExisting(
  { path, gzip, sha256 }: { path: string; gzip: boolean; sha256: string },
  onObject: OnObject,
  throwIfAborted: () => void,
): Promise<void> {
  let isSame: boolean;
  try {
    isSame = (await readLinesSync(path, gzip, onObject, throwIfAborted)).sha256 === sha256;
  } catch (error) {
    if (!(error instanceof ExportError) || error.code !== 'BAD_FILE') throw error;
    isSame = false;
  }
  if (isSame) return;
  throw new ExportError('DIRECTORY', `${path} was altered; delete it and run the pull again`);
}

async function readObjects(
  chunks: Iterable<Buffer> | AsyncIterable<Buffer>,
  gzip: boolean,
  onObject: OnObject,
  throwIfAborted: () => void,
): Promise<LinesSummary> {
  const hash = createHash('sha256');
  let bytes = 0;
  const counted = async function* (): AsyncGenerator<Buffer, void, void> {
    for await (const chunk of chunks) {
      hash.update(chunk);
      bytes += chunk.length;
      yield chunk;
    }
  };
  const reader = new ObjectReader('lines', onObject);
  for await (const chunk of gzip ? inflate(counted()) : counted()) {
    throwIfAborted();
    reader.push(chunk);
  }
  reader.end();
  return { bytes, sha256: hash.digest('hex') };
}
