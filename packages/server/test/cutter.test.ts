import { OBJECTS_PER_FILE } from '@tillroll/contract';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FileCutter, PIECE_BYTES, type FileTarget, type OpenFile } from '../src/sink/cutter.ts';
import { FrameDecoder } from '../src/source/frames.ts';

const LAYOUT = { format: 'json', objectsPerFile: OBJECTS_PER_FILE } as const;

interface CutFile {
  pieces: Buffer[];
  objects: number;
}

/** Takes the pieces as the sink does, and checks that the calls come in order. */
class Files implements FileTarget {
  readonly files: CutFile[] = [];
  #open: OpenFile | null = null;

  open(position: number): OpenFile {
    expect(position).toBe(this.files.length);
    expect(this.#open).toBeNull();
    const pieces: Buffer[] = [];
    const file: OpenFile = {
      write: (piece) => {
        expect(this.#open).toBe(file);
        expect(piece.length).toBeGreaterThan(0);
        expect(piece.length).toBeLessThanOrEqual(PIECE_BYTES);
        pieces.push(piece);
      },
      close: (objects) => {
        expect(this.#open).toBe(file);
        this.files.push({ pieces, objects });
        this.#open = null;
      },
    };
    this.#open = file;
    return file;
  }

  get nothingOpen(): boolean {
    return this.#open === null;
  }

  get texts(): string[] {
    return this.files.map(({ pieces }) => Buffer.concat(pieces).toString('utf8'));
  }
}

/** Computes the expected files in another way than the cutter does. */
function expectedTexts(objects: readonly string[]): string[] {
  const texts: string[] = [];
  for (let at = 0; at < objects.length; at += OBJECTS_PER_FILE)
    texts.push(`{"elements":[${objects.slice(at, at + OBJECTS_PER_FILE).join(',')}]}`);
  return texts;
}

/** The objects as PostgreSQL's binary COPY sends them. */
function copyStream(objects: readonly string[]): Buffer {
  const parts = [Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), Buffer.alloc(8)];
  for (const text of objects) {
    const head = Buffer.alloc(18);
    head.writeInt16BE(2, 0);
    head.writeInt32BE(8, 2);
    head.writeBigInt64BE(1_700_000_000_000n, 6);
    head.writeInt32BE(Buffer.byteLength(text), 14);
    parts.push(head, Buffer.from(text));
  }
  parts.push(Buffer.from([0xff, 0xff]));
  return Buffer.concat(parts);
}

function cutObjects(objects: readonly string[]): Files {
  const files = new Files();
  const cutter = new FileCutter(LAYOUT, files);
  for (const text of objects) {
    const data = Buffer.from(`<<${text}>>`);
    cutter.push(data, 2, data.length - 2);
    // The socket's memory is reused: what was pushed must have been copied.
    data.fill(0x21);
  }
  cutter.finish();
  return files;
}

function object(number: number, bytes: number): string {
  const text = JSON.stringify({ id: `N${number}`, note: 'aß€😀,]}"' });
  return text.length >= bytes
    ? text
    : `${text.slice(0, -1)},"pad":"${'x'.repeat(bytes - text.length)}"}`;
}

/** Any number of objects; a few of them, anywhere, up to more than two pieces. */
const objectLists = fc
  .record({
    count: fc.oneof(
      fc.integer({ min: 0, max: 3500 }),
      fc.constantFrom(0, 1, 999, 1000, 1001, 1999, 2000, 2001, 3000),
    ),
    small: fc.integer({ min: 1, max: 300 }),
    large: fc.array(
      fc.record({
        at: fc.nat(3499),
        bytes: fc.oneof(
          fc.integer({ min: 1000, max: 600_000 }),
          fc.integer({ min: PIECE_BYTES - 60, max: PIECE_BYTES + 60 }),
        ),
      }),
      { maxLength: 4 },
    ),
  })
  .map(({ count, small, large }) => {
    const bytes = new Map(large.map((each) => [each.at % Math.max(1, count), each.bytes]));
    return Array.from({ length: count }, (_, i) => object(i, bytes.get(i) ?? small + (i % 37)));
  });

describe('the cutter', () => {
  test('gives the same objects in the same order, 1000 a file', () => {
    fc.assert(
      fc.property(objectLists, (objects) => {
        const files = cutObjects(objects);
        expect(files.nothingOpen).toBe(true);
        // Compared as one boolean: a difference of megabytes would take minutes to print.
        const expected = expectedTexts(objects);
        expect(files.texts.length).toBe(expected.length);
        expect(files.texts.every((text, i) => text === expected[i])).toBe(true);
        expect(files.files.slice(0, -1).every((file) => file.objects === 1000)).toBe(true);
        expect(files.files.reduce((sum, file) => sum + file.objects, 0)).toBe(objects.length);
        const parsed = files.texts.flatMap(
          (text) => (JSON.parse(text) as { elements: unknown[] }).elements,
        );
        expect(parsed.length).toBe(objects.length);
      }),
      { numRuns: 60 },
    );
  });

  test('does so whatever the boundaries of what came off the socket', () => {
    fc.assert(
      fc.property(
        objectLists,
        fc.array(fc.integer({ min: 1, max: 400_000 }), { minLength: 1, maxLength: 8 }),
        (objects, sizes) => {
          const files = new Files();
          const cutter = new FileCutter(LAYOUT, files);
          const decoder = new FrameDecoder({ texts: [], integers: [] });
          const stream = copyStream(objects);
          for (let at = 0, turn = 0; at < stream.length; turn++) {
            const end = at + (sizes[turn % sizes.length] ?? 1);
            for (const frame of decoder.push(stream.subarray(at, end)))
              cutter.push(frame.data, frame.start, frame.end);
            at = end;
          }
          decoder.finish();
          cutter.finish();
          const expected = expectedTexts(objects);
          expect(files.texts.length).toBe(expected.length);
          expect(files.texts.every((text, i) => text === expected[i])).toBe(true);
        },
      ),
      { numRuns: 40 },
    );
  });

  test('JSON lines: each object on its line, without the breaks between its tokens', () => {
    const piece = fc.constantFrom(
      '{',
      '"a\\n"',
      '\n',
      '\r\n',
      '\r',
      ' ',
      '1',
      '}',
      'x'.repeat(300),
    );
    const texts = fc.array(
      fc.array(piece, { minLength: 1, maxLength: 12 }).map((pieces) => pieces.join('')),
      { maxLength: 40 },
    );
    fc.assert(
      fc.property(texts, fc.integer({ min: 1, max: 7 }), (objects, objectsPerFile) => {
        const files = new Files();
        const cutter = new FileCutter({ format: 'jsonl', objectsPerFile }, files);
        // All in one buffer, as they come off the socket.
        const data = Buffer.from(objects.join('\n\r'));
        let at = 0;
        for (const text of objects) {
          const end = at + Buffer.byteLength(text);
          cutter.push(data, at, end);
          at = end + 2;
        }
        cutter.finish();
        const lines = objects.map((text) => `${text.replaceAll(/[\r\n]/g, '')}\n`);
        const expected: string[] = [];
        for (let i = 0; i < lines.length; i += objectsPerFile)
          expected.push(lines.slice(i, i + objectsPerFile).join(''));
        expect(files.texts).toEqual(expected);
      }),
    );
  });

  test('tombstones and objects are in files of their own', () => {
    const files = new Files();
    const cutter = new FileCutter(LAYOUT, files);
    const data = Buffer.from('{"id":"A"}');
    for (const isDeletion of [false, false, true, true, true])
      cutter.push(data, 0, data.length, isDeletion);
    cutter.finish();
    expect(files.files.map(({ objects }) => objects)).toEqual([2, 3]);
  });

  test.each([
    [0, []],
    [1, [1]],
    [999, [999]],
    [1000, [1000]],
    [1001, [1000, 1]],
    [2000, [1000, 1000]],
    [3500, [1000, 1000, 1000, 500]],
  ])('%i objects', (count, sizes) => {
    const files = cutObjects(Array.from({ length: count }, (_, i) => object(i, 10)));
    expect(files.files.map((file) => file.objects)).toEqual(sizes);
  });

  test('fills every piece of a file but the last', () => {
    const files = cutObjects([object(0, 3 * PIECE_BYTES), object(1, 10), object(2, PIECE_BYTES)]);
    const lengths = files.files[0]?.pieces.map((piece) => piece.length) ?? [];
    expect(lengths.length).toBeGreaterThan(3);
    expect(lengths.slice(0, -1).every((length) => length === PIECE_BYTES)).toBe(true);
  });

  test('asks for memory only when it has something to put there', () => {
    let allocated = 0;
    const files = new Files();
    const cutter = new FileCutter(LAYOUT, files, () => {
      allocated++;
      return Buffer.alloc(PIECE_BYTES);
    });
    cutter.finish();
    expect(allocated).toBe(0);
    // Exactly one piece: "{"elements":[" and "]}" around the object.
    const data = Buffer.alloc(PIECE_BYTES - 15, 0x31);
    cutter.push(data, 0, data.length);
    cutter.finish();
    expect(allocated).toBe(1);
    expect(files.files.map(({ pieces }) => pieces.length)).toEqual([1]);
  });
});
