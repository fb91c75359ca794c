/** Writes PostgreSQL's binary COPY format. */
import type { Row } from './row.ts';

/** PostgreSQL's binary COPY format, writing side (PostgreSQL documentation, COPY, "Binary Format"). */

export const COPY_HEADER: Buffer = Buffer.concat([
  Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'),
  Buffer.alloc(8),
]);
export const COPY_TRAILER: Buffer = Buffer.from([0xff, 0xff]);

/** line, id, created, modified before the relation's columns; the object after them. */
const FIXED_FIELDS = 5;

/** An upper bound of the bytes of a row. A UTF-16 unit is at most three bytes of UTF-8. */
export function rowBytesAtMost(row: Row): number {
  let bytes = 2 + 4 + 8 + 4 + row.id.length * 3 + 12 + 12 + 4 + row.object.length;
  for (const value of row.values) bytes += 4 + (typeof value === 'string' ? value.length * 3 : 8);
  return bytes;
}

/** Writes a row at `offset` and returns the offset behind it. */
export function writeRow(target: Buffer, offset: number, row: Row): number {
  let at = target.writeInt16BE(FIXED_FIELDS + row.values.length, offset);
  at = writeInteger(target, at, row.line);
  at = writeText(target, at, row.id);
  at = writeInteger(target, at, row.createdTime);
  at = writeInteger(target, at, row.modifiedTime);
  for (const value of row.values) {
    if (value === null) at = target.writeInt32BE(-1, at);
    else if (typeof value === 'string') at = writeText(target, at, value);
    else at = writeInteger(target, at, value);
  }
  at = target.writeInt32BE(row.object.length, at);
  return at + row.object.copy(target, at);
}

function writeInteger(target: Buffer, offset: number, value: number): number {
  const at = target.writeInt32BE(8, offset);
  return target.writeBigInt64BE(BigInt(value), at);
}

function writeText(target: Buffer, offset: number, value: string): number {
  const bytes = target.write(value, offset + 4, 'utf8');
  target.writeInt32BE(bytes, offset);
  return offset + 4 + bytes;
}
