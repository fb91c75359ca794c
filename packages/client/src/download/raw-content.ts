/** Checks and copies the content of raw files for `download`. */
import { createHash } from 'node:crypto';
import type { ExportFile } from '@tillroll/contract';
import { writeContent } from '../disk/write-content.ts';
import { openForReading, type FileSum } from '../disk/entries.ts';
import { syncFile } from '../disk/write.ts';
import { inflate } from '../json/inflate.ts';
import { ContentChecker, chooseContentLimit } from './check-content.ts';

/** A checked file: length and hex SHA-256 are those on disk. */
export interface CheckedFile extends FileSum {
  objects: number;
}

const READ_BYTES = 256 * 1024;

/** Reads a file; a symbolic link is refused. */
async function* readChunks(path: string): AsyncGenerator<Buffer, void, void> {
  await using file = await openForReading(path);
  const options = { highWaterMark: READ_BYTES, autoClose: false };
  yield* file.createReadStream(options) as AsyncIterable<Buffer>;
}

/** Checks a raw file that is on disk. @throws ExportError BAD_FILE */
export async function checkRawFile(
  path: string,
  expected: ExportFile | undefined,
): Promise<CheckedFile> {
  const checker = new ContentChecker(expected, () => undefined);
  const hash = createHash('sha256');
  let bytes = 0;
  const hashed = async function* (): AsyncGenerator<Buffer, void, void> {
    for await (const chunk of readChunks(path)) {
      hash.update(chunk);
      bytes += chunk.length;
      yield chunk;
    }
  };
  for await (const chunk of inflate(hashed(), chooseContentLimit(expected))) checker.push(chunk);
  return { objects: checker.end().objects, bytes, sha256: hash.digest('hex') };
}

/**
 * Copies the content of a raw file, inflated or compressed again, and checks it on the way. The copy
 * is durable.
 * @param target is replaced.
 * @throws ExportError BAD_FILE when the content is bad; a system error of the disk.
 */
export async function copyChecked(
  source: { path: string; expected: ExportFile | undefined },
  target: { path: string; gzip: boolean; mode: number },
): Promise<CheckedFile> {
  const { expected } = source;
  const checker = new ContentChecker(expected, () => undefined);
  const content = async function* (): AsyncGenerator<Buffer, void, void> {
    for await (const chunk of inflate(readChunks(source.path), chooseContentLimit(expected))) {
      checker.push(chunk);
      yield chunk;
    }
  };
  const sum = await writeContent(target.path, content(), target);
  const { objects } = checker.end();
  await syncFile(target.path, target.mode);
  return { objects, ...sum };
}
