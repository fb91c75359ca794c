import { HOUR_MS, type TimeRange } from '@tillroll/contract';
import type { Shelf, StoredObject } from './data.ts';
import type { Broken, FaultBook, FaultKinds, Subject } from './faults.ts';
import { randomFrom, shuffled } from './random.ts';

/** An object as a file holds it; bytes where it is not a text. */
export type Piece = string | Buffer;

function inRange(
  shelf: Shelf,
  { startTime, endTime }: TimeRange,
  how?: FaultKinds['bounds']['how'],
): StoredObject[] {
  if (how === 'inclusive') return shelf.between(startTime, endTime + 1);
  if (how === 'exclusive-start') return shelf.between(startTime + 1, endTime + 1);
  return shelf.between(startTime, endTime);
}

function atEdge(text: string, how: FaultKinds['edge']['how']): string {
  return text.replace(/("modifiedTime"\s*:\s*)([0-9]+)/, (_, name: string, time: string) => {
    return `${name}${Number(time) + (how === 'newer' ? HOUR_MS : -HOUR_MS)}`;
  });
}

function without(object: Record<string, unknown>, member: string): string {
  return JSON.stringify({ ...object, [member]: undefined });
}

function breakObject(text: string, how: Broken): Piece {
  const object = JSON.parse(text) as Record<string, unknown>;
  const more = (members: string): string => `${text.slice(0, text.lastIndexOf('}'))},${members}}`;
  switch (how) {
    case 'no-id':
      return without(object, 'id');
    case 'no-createdTime':
      return without(object, 'createdTime');
    case 'no-modifiedTime':
      return without(object, 'modifiedTime');
    case 'id-number':
      return JSON.stringify({ ...object, id: 12345 });
    case 'id-empty':
      return JSON.stringify({ ...object, id: '' });
    case 'id-path':
      return JSON.stringify({ ...object, id: '../../../tmp/x' });
    case 'createdTime-string':
      return JSON.stringify({ ...object, createdTime: String(object['createdTime']) });
    case 'createdTime-far':
      return JSON.stringify({ ...object, createdTime: 1e300 });
    case 'invalid-utf8': {
      const bytes = Buffer.from(more('"x":"~"'));
      bytes[bytes.lastIndexOf('~')] = 0xff;
      return bytes;
    }
    case 'raw-newline':
      return more('"x":"one\ntwo"');
    case 'deep':
      return more(`"x":${'['.repeat(100_000)}${']'.repeat(100_000)}`);
    case 'proto':
      return more('"__proto__":{"id":"polluted"},"constructor":{"prototype":{"x":1}}');
    case 'unbalanced':
      return text.slice(0, text.lastIndexOf('}'));
    case 'null':
      return 'null';
    case 'number':
      return '42';
    case 'string':
      return '"an order"';
    case 'array':
      return '[]';
  }
}

function inFiles(pieces: readonly Piece[], perFile: number): Piece[][] {
  const files: Piece[][] = [];
  for (let i = 0; i < pieces.length; i += perFile) files.push(pieces.slice(i, i + perFile));
  return files;
}

/** Cuts what an export of `range` holds into files: what is in it, or what the faults make of that. */
export function makeContents(
  shelf: Shelf,
  range: TimeRange,
  perFile: number,
  faults: FaultBook,
  subject: Subject,
): Piece[][] {
  const empty = faults.strike('empty', subject);
  if (empty) return empty.how === 'empty-file' ? [[]] : [];
  const duplicate = faults.strike('duplicate', subject)?.how;
  const edge = faults.strike('edge', subject)?.how;

  let objects = inRange(shelf, range, faults.strike('bounds', subject)?.how);
  if (edge) {
    objects = objects.map((object) =>
      object.createdTime === range.startTime
        ? { ...object, text: atEdge(object.text, edge) }
        : object,
    );
  }
  if (duplicate === 'across-exports') {
    const before = shelf.objects[shelf.indexOf(range.startTime) - 1];
    if (before) objects = [before, ...objects];
  }
  if (faults.strike('unsorted', subject)) objects = shuffled(randomFrom(range.startTime), objects);

  const pieces: Piece[] = objects.map(({ text }) => text);
  const huge = faults.strike('huge', subject);
  const grown = pieces[huge?.at ?? 0];
  if (huge && typeof grown === 'string') {
    const note = 'né '.repeat((huge.noteBytes ?? 5_000_000) / 4);
    pieces[huge.at ?? 0] = JSON.stringify({ ...(JSON.parse(grown) as object), note });
  }
  const broken = faults.strike('broken', subject);
  const victim = pieces[broken?.at ?? 0];
  if (broken && typeof victim === 'string')
    pieces[broken.at ?? 0] = breakObject(victim, broken.how);

  const files = inFiles(pieces, perFile);
  const [first] = files;
  if (first?.[0] !== undefined) {
    if (duplicate === 'in-file') first.push(first[0]);
    if (duplicate === 'across-files') {
      if (files.length === 1) files.push([]);
      files.at(-1)?.push(first[0]);
    }
  }
  return files;
}
