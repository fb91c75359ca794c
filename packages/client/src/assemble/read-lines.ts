import { createHash } from 'node:crypto';
import { openForReading, type FileSum } from '../disk/entries.ts';
import { ExportError } from '../errors.ts';
import { throwIfAborted } from '../http/retry.ts';
import { inflate } from '../json/inflate.ts';
import { ObjectReader, type OnObject } from '../json/object-reader.ts';
import { CHUNK_BYTES, openForReadingSync, readChunks } from './files.ts';

/**
 * Reads a file of JSON lines, asynchronously.
 * @throws ExportError BAD_FILE, INTERRUPTED; system errors as they are, also for a symbolic link.
 */
export async function readLines(
  path: string,
  gzip: boolean,
  onObject: OnObject,
  signal?: AbortSignal,
): Promise<FileSum> {
  await using file = await openForReading(path);
  const chunks = file.createReadStream({ highWaterMark: CHUNK_BYTES, autoClose: false });
  return await readObjects(chunks, gzip, onObject, () => throwIfAborted(signal));
}

/** As `readLines`, with synchronous reads: for the worker. @param onChunk is called for each; may throw. */
export async function readLinesSync(
  path: string,
  gzip: boolean,
  onObject: OnObject,
  onChunk: () => void = () => undefined,
): Promise<FileSum> {
  return readObjects(readChunks(openForReadingSync(path)), gzip, onObject, onChunk);
}

/**
 * Reads a month's file whose hash is known, in the worker.
 * @throws ExportError DIRECTORY when it is not the file that was written.
 */
export async function readExisting(
  { path, gzip, sha256 }: { path: string; gzip: boolean; sha256: string },
  onObject: OnObject,
  onChunk: () => void,
): Promise<void> {
  let isSame: boolean;
  try {
    isSame = (await readLinesSync(path, gzip, onObject, onChunk)).sha256 === sha256;
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
  onChunk: () => void,
): Promise<FileSum> {
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
    onChunk();
    reader.push(chunk);
  }
  reader.end();
  return { bytes, sha256: hash.digest('hex') };
}
