/** Reads texts with an `ObjectReader`, and says what it must find. */

import fc from 'fast-check';
import { expect } from 'vitest';
import { ExportError } from '../src/errors.ts';
import type { Members } from '../src/json/members.ts';
import { type Framing, ObjectReader } from '../src/json/object-reader.ts';
import { parseMembers, objectText } from './json-texts.ts';

export interface Found {
  text: string;
  members: Members;
}

function* pieces(bytes: Buffer, sizes: readonly number[]): Generator<Buffer, void, void> {
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[Math.min(turn, sizes.length - 1)] ?? 1;
    // Each in memory of its own: the reader keeps it.
    yield Buffer.from(bytes.subarray(at, at + size));
    at += size;
  }
}

/** Reads all of it; also checks that every object is where the reader says. */
export function read(
  layout: Framing,
  text: string | Buffer,
  sizes: readonly number[] = [Infinity],
): Found[] {
  const bytes = Buffer.from(text as string);
  const found: Found[] = [];
  const reader = new ObjectReader(layout, (buffer, start, end, members) => {
    const at = reader.base + start;
    if (!bytes.subarray(at, reader.base + end).equals(buffer.subarray(start, end)))
      throw new Error(`object ${found.length} is not at byte ${at}`);
    found.push({ text: buffer.toString('utf8', start, end), members: { ...members } });
  });
  for (const piece of pieces(bytes, sizes)) reader.push(piece);
  reader.end();
  expect(reader.objects).toBe(found.length);
  return found;
}

export function refusal(
  layout: Framing,
  text: string | Buffer,
  sizes?: readonly number[],
): string | undefined {
  try {
    read(layout, text, sizes);
    return undefined;
  } catch (error) {
    if (error instanceof ExportError && error.code === 'BAD_FILE') return error.message;
    throw error;
  }
}

/** An object that may stand in an export; what it holds besides is arbitrary. */
export const exported = fc
  .tuple(objectText, fc.nat(), fc.integer({ min: 0, max: 2e12 }))
  .map(([text, number, time]) => {
    const more = text.slice(1, -1);
    const comma = more.trim() === '' ? '' : ',';
    return `{${more}${comma}"id":"ID${number}","createdTime":${time}}`;
  });

export function computeExpected(text: string): Found {
  const members = parseMembers(text);
  if (Number.isNaN(members.modifiedTime)) members.modifiedTime = members.createdTime;
  return { text, members };
}
