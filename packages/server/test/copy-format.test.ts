import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { COPY_HEADER, COPY_TRAILER, rowBytesAtMost, writeRow } from '../src/ingest/copy-format.ts';
import type { Row } from '../src/ingest/row.ts';

/** The fields of one row, written from PostgreSQL's documentation; null is SQL's NULL. */
function decodeRow(bytes: Buffer, offset: number): { fields: (Buffer | null)[]; end: number } {
  const fields: (Buffer | null)[] = [];
  let at = offset + 2;
  for (let left = bytes.readInt16BE(offset); left > 0; left--) {
    const length = bytes.readInt32BE(at);
    at += 4;
    if (length === -1) {
      fields.push(null);
      continue;
    }
    if (length < 0 || at + length > bytes.length) throw new Error(`a field of ${length} bytes`);
    fields.push(Buffer.from(bytes.subarray(at, at + length)));
    at += length;
  }
  return { fields, end: at };
}

function integer(field: Buffer | null | undefined): number {
  if (field?.length !== 8) throw new Error('not an int8');
  return Number(field.readBigInt64BE());
}

function text(field: Buffer | null | undefined): string {
  if (!field) throw new Error('not a text');
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(field);
}

const texts = fc.string({ unit: 'binary', maxLength: 64 });
const rows: fc.Arbitrary<Row> = fc.record({
  line: fc.integer({ min: 1, max: 2 ** 40 }),
  id: texts,
  createdTime: fc.integer({ min: 0, max: 8_640_000_000_000_000 }),
  modifiedTime: fc.integer({ min: 0, max: 8_640_000_000_000_000 }),
  values: fc.array(fc.oneof(fc.constant(null), texts, fc.maxSafeInteger()), { maxLength: 6 }),
  object: fc.uint8Array({ maxLength: 500 }).map((bytes) => Buffer.from(bytes)),
});

describe('the binary COPY format', () => {
  test('the header and the trailer are the documented ones', () => {
    expect(COPY_HEADER.toString('hex')).toBe('5047434f50590aff0d0a00' + '00000000' + '00000000');
    expect(COPY_TRAILER.toString('hex')).toBe('ffff');
  });

  test('a written row reads back with the same values', () => {
    fc.assert(
      fc.property(rows, fc.nat(40), (row, offset) => {
        const target = Buffer.alloc(offset + rowBytesAtMost(row) + 8, 0xaa);
        const end = writeRow(target, offset, row);
        const read = decodeRow(target, offset);
        expect(read.end).toBe(end);
        const [line, id, created, modified, ...rest] = read.fields;
        const object = rest.pop();
        expect(integer(line)).toBe(row.line);
        expect(text(id)).toBe(row.id);
        expect(integer(created)).toBe(row.createdTime);
        expect(integer(modified)).toBe(row.modifiedTime);
        expect(object?.equals(row.object)).toBe(true);
        expect(
          rest.map((field, i) => {
            if (field === null) return null;
            return typeof row.values[i] === 'string' ? text(field) : integer(field);
          }),
        ).toEqual(row.values);
        // Nothing before its offset or behind its end is touched.
        expect(target.subarray(0, offset).every((byte) => byte === 0xaa)).toBe(true);
        expect(target.subarray(end).every((byte) => byte === 0xaa)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test('a row never needs more than was announced', () => {
    fc.assert(
      fc.property(rows, (row) => {
        const announced = rowBytesAtMost(row);
        expect(writeRow(Buffer.alloc(announced), 0, row)).toBeLessThanOrEqual(announced);
      }),
      { numRuns: 500 },
    );
  });

  test('rows follow each other without a gap', () => {
    fc.assert(
      fc.property(fc.array(rows, { maxLength: 10 }), (list) => {
        const target = Buffer.alloc(list.reduce((sum, row) => sum + rowBytesAtMost(row), 0));
        let end = 0;
        for (const row of list) end = writeRow(target, end, row);
        let at = 0;
        for (const row of list) {
          const read = decodeRow(target, at);
          expect(text(read.fields[1])).toBe(row.id);
          at = read.end;
        }
        expect(at).toBe(end);
      }),
    );
  });
});
