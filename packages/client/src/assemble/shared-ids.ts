import { ExportError } from '../errors.ts';
import { openForReadingSync, readChunks } from './files.ts';
import { hashId, NumberList, type HashId } from './ids.ts';
import type { IndexedLines, SharedId } from './job.ts';
import { readLinesSync } from './read-lines.ts';

const HASH_BYTES = Float64Array.BYTES_PER_ELEMENT;

/**
 * Finds ids that are in both files. Compares the files of hashes as streams; lines are read only when hashes are
 * equal. A file of hashes that is missing or damaged is replaced by reading the lines.
 * @throws ExportError BAD_FILE when a lines file is damaged; system errors as they are.
 */
export async function findSharedIds(
  a: IndexedLines,
  b: IndexedLines,
  hash: HashId = hashId,
): Promise<SharedId[]> {
  const common = await findCommonHashes(a, b, hash);
  if (common.size === 0) return [];
  const found = new Map<string, number>();
  await readLinesSync(a.lines, a.gzip, (_buffer, _start, _end, { id, modifiedTime }) => {
    if (common.has(hash(id))) found.set(id, modifiedTime);
  });
  const shared: SharedId[] = [];
  await readLinesSync(b.lines, b.gzip, (_buffer, _start, _end, { id, modifiedTime }) => {
    const modifiedA = found.get(id);
    if (modifiedA !== undefined) shared.push({ id, modifiedA, modifiedB: modifiedTime });
  });
  return shared;
}

async function findCommonHashes(
  a: IndexedLines,
  b: IndexedLines,
  hash: HashId,
): Promise<Set<number>> {
  try {
    return intersect(readHashes(a.ids), readHashes(b.ids));
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    if (!isMissing && !(error instanceof ExportError)) throw error;
    return intersect(await hashLines(a, hash), await hashLines(b, hash));
  }
}

function intersect(a: Iterable<number>, b: Iterable<number>): Set<number> {
  const common = new Set<number>();
  const left = a[Symbol.iterator]();
  const right = b[Symbol.iterator]();
  let x = left.next();
  let y = right.next();
  while (!x.done && !y.done) {
    if (x.value === y.value) common.add(x.value);
    if (x.value <= y.value) x = left.next();
    else y = right.next();
  }
  // Closes the file of the longer one.
  left.return?.();
  right.return?.();
  return common;
}

/** @throws ExportError DIRECTORY when the file does not hold sorted numbers. */
function* readHashes(path: string): Generator<number, void, void> {
  let last = Number.NEGATIVE_INFINITY;
  for (const chunk of readChunks(openForReadingSync(path))) {
    if (chunk.length % HASH_BYTES !== 0) throw damaged(path);
    // Chunks are too long to share a buffer: the offset is a multiple of eight.
    const hashes = new Float64Array(chunk.buffer, chunk.byteOffset, chunk.length / HASH_BYTES);
    for (const hash of hashes) {
      if (!(hash >= last)) throw damaged(path);
      yield (last = hash);
    }
  }
}

function damaged(path: string): ExportError {
  return new ExportError('DIRECTORY', `${path} was altered; delete it and run the pull again`);
}

async function hashLines({ lines, gzip }: IndexedLines, hash: HashId): Promise<Float64Array> {
  const hashes = new NumberList();
  await readLinesSync(lines, gzip, (_buffer, _start, _end, { id }) => hashes.push(hash(id)));
  return hashes.sorted();
}
