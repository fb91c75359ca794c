import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  BrokenStream,
  FrameDecoder,
  MAX_OBJECT_BYTES,
  ObjectTooLarge,
  type RowFrame,
} from '../src/source/frames.ts';

/** Rows of a time and an object alone. */
const BARE = { texts: [], integers: [] };

interface Row {
  createdTime: number;
  object: Buffer;
}

const HEADER = Buffer.concat([Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), Buffer.alloc(8)]);
const TRAILER = Buffer.from([0xff, 0xff]);

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function int64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(value));
  return bytes;
}

function field(bytes: Buffer | null): Buffer {
  return bytes === null ? int32(-1) : Buffer.concat([int32(bytes.length), bytes]);
}

function makeRow(...fields: (Buffer | null)[]): Buffer {
  return Buffer.concat([int16(fields.length), ...fields.map(field)]);
}

function encode(rows: readonly Row[]): Buffer {
  const body = rows.map(({ createdTime, object }) => makeRow(int64(createdTime), object));
  return Buffer.concat([HEADER, ...body, TRAILER]);
}

/** The buffer in chunks of the given sizes, over and over. */
function cut(stream: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0; at < stream.length;) {
    const size = sizes[chunks.length % sizes.length] ?? 1;
    chunks.push(Buffer.from(stream.subarray(at, at + size)));
    at += size;
  }
  return chunks;
}

function decode(chunks: readonly Buffer[]): Row[] {
  const decoder = new FrameDecoder(BARE);
  const frames: RowFrame[] = [];
  for (const chunk of chunks) frames.push(...decoder.push(chunk));
  decoder.finish();
  expect(decoder.rows).toBe(frames.length);
  // Read only now: a frame must stay what it was while later chunks come.
  return frames.map(({ position, data, start, end }) => ({
    createdTime: position,
    object: Buffer.from(data.subarray(start, end)),
  }));
}

function same(a: readonly Row[], b: readonly Row[]): boolean {
  return (
    a.length === b.length &&
    a.every((row, i) => {
      const other = b[i];
      return other?.createdTime === row.createdTime && other.object.equals(row.object);
    })
  );
}

const rows: fc.Arbitrary<Row[]> = fc.array(
  fc.record({
    createdTime: fc.oneof(
      fc.maxSafeInteger(),
      fc.integer({ min: 0, max: 8_640_000_000_000_000 }),
      fc.constantFrom(0, -1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1),
    ),
    object: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  }),
  { maxLength: 40 },
);

describe('FrameDecoder', () => {
  test('gives the same rows whatever the boundaries of the chunks', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 10 });
    fc.assert(
      fc.property(rows, sizes, (list, chunkSizes) => {
        expect(same(decode(cut(encode(list), chunkSizes)), list)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  test('also of one byte each, and all in one', () => {
    fc.assert(
      fc.property(rows, (list) => {
        expect(same(decode(cut(encode(list), [1])), list)).toBe(true);
        expect(same(decode([encode(list)]), list)).toBe(true);
      }),
    );
  });

  test('a row that spans many chunks', () => {
    const list = [{ createdTime: 7, object: Buffer.alloc(3_000_000, 'é') }];
    expect(same(decode(cut(encode(list), [65_536])), list)).toBe(true);
  });

  test('empty chunks change nothing', () => {
    const list = [{ createdTime: 7, object: Buffer.from('{}') }];
    const none = Buffer.alloc(0);
    const chunks = cut(encode(list), [1]).flatMap((chunk) => [none, chunk]);
    expect(same(decode([...chunks, none, none]), list)).toBe(true);
  });

  test('gives each row as soon as it is whole', () => {
    const decoder = new FrameDecoder(BARE);
    const stream = encode([
      { createdTime: 1, object: Buffer.from('{"a":1}') },
      { createdTime: 2, object: Buffer.from('{"b":2}') },
    ]);
    const given = cut(stream, [1]).map((byte) => decoder.push(byte).length);
    const row = 18 + 7;
    expect(given.flatMap((count, at) => (count > 0 ? [at + 1] : []))).toEqual([
      HEADER.length + row,
      HEADER.length + 2 * row,
    ]);
  });

  test('a stream that is cut off anywhere is broken', () => {
    fc.assert(
      fc.property(rows, fc.nat(), fc.integer({ min: 1, max: 300 }), (list, at, size) => {
        const stream = encode(list);
        const decoder = new FrameDecoder(BARE);
        for (const chunk of cut(stream.subarray(0, at % stream.length), [size]))
          decoder.push(chunk);
        expect(() => decoder.finish()).toThrow(BrokenStream);
      }),
    );
    expect(() => new FrameDecoder(BARE).finish()).toThrow(BrokenStream);
  });

  test('any change to the signature is seen', () => {
    fc.assert(
      fc.property(fc.nat(10), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const stream = encode([]);
        stream[at] = (stream[at] ?? 0) ^ change;
        expect(() => decode([stream])).toThrow(BrokenStream);
        expect(() => decode(cut(stream, [1]))).toThrow(BrokenStream);
      }),
    );
  });

  test('text instead of binary, or a header extension, is broken', () => {
    expect(() => decode([Buffer.from('{"id":"A"}\n'.repeat(10))])).toThrow(BrokenStream);
    const extended = encode([]);
    extended.writeInt32BE(4, HEADER.length - 4);
    expect(() => decode([extended])).toThrow(BrokenStream);
  });

  test('anything behind the end marker is broken, in the same chunk or later', () => {
    const behind = fc.uint8Array({ minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(rows, behind, fc.integer({ min: 1, max: 300 }), (list, bytes, size) => {
        const stream = encode(list);
        expect(() => decode([Buffer.concat([stream, bytes])])).toThrow(BrokenStream);
        expect(() => decode([...cut(stream, [size]), Buffer.from(bytes)])).toThrow(BrokenStream);
        expect(() => decode([stream, ...cut(Buffer.from(bytes), [1])])).toThrow(BrokenStream);
      }),
    );
  });

  test.each([
    ['no created_time', makeRow(null, Buffer.from('{"id":"A"}'))],
    ['no created_time and no object', makeRow(null, null)],
    ['no object', makeRow(int64(1), null)],
    ['a created_time of four bytes', makeRow(int32(1), Buffer.from('{"id":"A"}'))],
    ['one field', makeRow(int64(1))],
    ['three fields', makeRow(int64(1), Buffer.from('{}'), Buffer.from('{}'))],
    ['no fields', makeRow()],
    ['an impossible count of fields', Buffer.concat([int16(-2), Buffer.alloc(30)])],
  ])('a row with %s is broken', (_what, row) => {
    const stream = Buffer.concat([HEADER, row, TRAILER]);
    expect(() => decode([stream])).toThrow(BrokenStream);
    expect(() => decode(cut(stream, [1]))).toThrow(BrokenStream);
    const after = makeRow(int64(2), Buffer.from('{"id":"B"}'));
    expect(() => decode([Buffer.concat([HEADER, row, after, TRAILER])])).toThrow(BrokenStream);
  });

  test('an object above the limit is refused at its length, before its bytes come', () => {
    const head = (length: number): Buffer =>
      Buffer.concat([HEADER, int16(2), field(int64(1)), int32(length)]);
    const tooLarge = new FrameDecoder(BARE);
    expect(() => tooLarge.push(head(MAX_OBJECT_BYTES + 1))).toThrow(ObjectTooLarge);
    const largest = new FrameDecoder(BARE);
    expect(largest.push(head(MAX_OBJECT_BYTES))).toEqual([]);
    const frames = largest.push(Buffer.alloc(MAX_OBJECT_BYTES, 0x20));
    expect(frames.map(({ start, end }) => end - start)).toEqual([MAX_OBJECT_BYTES]);
  });
});
