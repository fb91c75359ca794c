/** Writes chunks to a file, plain or as gzip, and hashes it. */
import { createHash } from 'node:crypto';
import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { FileSum } from './entries.ts';
import { openForWriting } from './write.ts';

/** Fast, as on the wire: most bytes are names of members. */
const GZIP = { level: 1, chunkSize: 256 * 1024 };

/**
 * Writes a file, plain or as gzip; the caller makes it durable. Unlike a single `write` it fails when the disk
 * fills half-way.
 * @param path is replaced. @throws a system error; whatever `chunks` throws.
 */
export async function writeContent(
  path: string,
  chunks: AsyncIterable<Buffer>,
  { gzip, mode }: { gzip: boolean; mode: number },
): Promise<FileSum> {
  await using file = await openForWriting(path, mode);
  const hash = createHash('sha256');
  let bytes = 0;
  const write = async (written: AsyncIterable<Buffer>): Promise<void> => {
    for await (const chunk of written) {
      hash.update(chunk);
      bytes += chunk.length;
      await file.appendFile(chunk);
    }
  };
  await pipeline(chunks, gzip ? createGzip(GZIP) : new PassThrough(), write);
  return { bytes, sha256: hash.digest('hex') };
}
