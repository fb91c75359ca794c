import type { Members } from '../json/members.ts';
import { ObjectReader } from '../json/object-reader.ts';
import type { Zone } from '../zone.ts';
import type { TypedRange } from './layout.ts';
import type { SegmentWriter } from './range-store.ts';
import { Counter, type Tally } from './tally.ts';

/** createdTime and id: the order of everything. */
export type Key = [number, string];

/** What was found in one file as served. */
export interface TakenFile {
  objects: number;
  ids: string[];
  tally: Tally;
  firstKey: Key | null;
  lastKey: Key | null;
  /** Whether its objects come in order. */
  isAscending: boolean;
}

/** Whether `b` comes after `a`: by createdTime, then by id as bytes. */
export function follows(a: Readonly<Key> | null, b: Readonly<Key>): boolean {
  if (a === null || b[0] > a[0]) return true;
  return b[0] === a[0] && Buffer.compare(Buffer.from(b[1]), Buffer.from(a[1])) > 0;
}

/** Leads one file, `{"elements":[...]}`, into a store. @throws ExportError BAD_FILE when it is not one. */
export async function takeFile(
  chunks: AsyncIterable<Uint8Array>,
  range: TypedRange,
  zone: Zone,
  writer: SegmentWriter,
): Promise<TakenFile> {
  const counter = new Counter(range.type, range, zone);
  const ids: string[] = [];
  let firstKey: Key | null = null;
  // The key of the last object, apart: a pair for each object would be the most of all garbage.
  let lastTime = -Infinity;
  let lastId = '';
  let isAscending = true;
  const onObject = (buffer: Buffer, start: number, end: number, members: Members): void => {
    const { createdTime, id } = members;
    counter.add(members);
    ids.push(id);
    if (createdTime <= lastTime) isAscending &&= follows([lastTime, lastId], [createdTime, id]);
    firstKey ??= [createdTime, id];
    lastTime = createdTime;
    lastId = id;
    writer.object(buffer, start, end, members);
  };
  const reader = new ObjectReader('elements', onObject);
  for await (const chunk of chunks) {
    writer.bytes(chunk);
    reader.push(chunk);
    await writer.relieve();
  }
  reader.end();
  const lastKey: Key | null = firstKey && [lastTime, lastId];
  return { objects: reader.objects, ids, tally: counter.tally, firstKey, lastKey, isAscending };
}
