import { hashId, NumberList, readIdIndex, type HashId } from './id-index.ts';
import type { IndexedLines, SharedId } from './job.ts';
import { readLines } from './read-lines.ts';

/**
 * Finds the ids that are in both files. Compares their id indexes; lines are read only when hashes are equal,
 * or when an index is missing or damaged.
 * @throws ExportError BAD_FILE when a lines file is damaged; system errors as they are.
 */
export async function findSharedIds(
  a: IndexedLines,
  b: IndexedLines,
  hash: HashId = hashId,
): Promise<SharedId[]> {
  const common = intersect(await readHashes(a, hash), await readHashes(b, hash));
  if (common.size === 0) return [];
  const found = new Map<string, number>();
  await readLines(a.lines, a.gzip, (_buffer, _start, _end, { id, modifiedTime }) => {
    if (common.has(hash(id))) found.set(id, modifiedTime);
  });
  const shared: SharedId[] = [];
  await readLines(b.lines, b.gzip, (_buffer, _start, _end, { id, modifiedTime }) => {
    const modifiedA = found.get(id);
    if (modifiedA !== undefined) shared.push({ id, modifiedA, modifiedB: modifiedTime });
  });
  return shared;
}

async function readHashes({ ids, lines, gzip }: IndexedLines, hash: HashId): Promise<Float64Array> {
  const known = await readIdIndex(ids);
  if (known) return known;
  const hashes = new NumberList();
  await readLines(lines, gzip, (_buffer, _start, _end, { id }) => hashes.push(hash(id)));
  return hashes.sorted();
}

/** Finds the numbers that are in both. Both are sorted. */
function intersect(a: Float64Array, b: Float64Array): Set<number> {
  const common = new Set<number>();
  for (let i = 0, j = 0; i < a.length && j < b.length;) {
    const [x, y] = [a[i] as number, b[j] as number];
    if (x === y) common.add(x);
    if (x <= y) i++;
    else j++;
  }
  return common;
}
