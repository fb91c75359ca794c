/** Reads files of JSON lines, object by object. */
import { createHash } from 'node:crypto';
import { openForReading, type FileSum } from '../disk/entries.ts';
import { ExportError } from '../errors.ts';
import { inflate } from '../json/inflate.ts';
import { ObjectReader, type OnObject } from '../json/object-reader.ts';

/** Bytes that are read at once. */
export const CHUNK_BYTES = 1024 * 1024;

/**
 * Reads a file of JSON lines.
 * @param onChunk is called for each chunk of the content; may throw.
 * @throws ExportError BAD_FILE; system errors as they are, also for a symbolic link.
 */
export async function readLines(
  path: string,
  gzip: boolean,
  onObject: OnObject,
  onChunk: () => void = () => undefined,
): Promise<FileSum> {
  await using file = await openForReading(path);
  const hash = createHash('sha256');
  let bytes = 0;
  const counted = async function* (): AsyncGenerator<Buffer, void, void> {
    const chunks = file.createReadStream({ highWaterMark: CHUNK_BYTES, autoClose: false });
    for await (const chunk of chunks as AsyncIterable<Buffer>) {
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

/**
 * Reads a month's existing file, and checks that its hash is the known one.
 * @throws ExportError DIRECTORY when it is not the file that was written.
 */
export async function readExisting(
  { path, gzip, sha256 }: { path: string; gzip: boolean; sha256: string },
  onObject: OnObject,
  onChunk: () => void,
): Promise<void> {
  let isSame: boolean;
  try {
    isSame = (await readLines(path, gzip, onObject, onChunk)).sha256 === sha256;
  } catch (error) {
    if (!(error instanceof ExportError) || error.code !== 'BAD_FILE') throw error;
    isSame = false;
  }
  if (isSame) return;
  throw new ExportError('DIRECTORY', `${path} was altered; delete it and run the pull again`);
}
