import { closeSync, fstatSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, deflateRawSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BadBody, BadLine, TooLarge } from '../src/ingest/errors.ts';
import { Intake, type Encoding } from '../src/ingest/intake.ts';

const T = 1_767_225_600_000;
const line = (id: string): string => `{"id":"${id}","createdTime":${T}}\n`;
const zeros = (count: number): Buffer => Buffer.alloc(count);

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'tillroll-intake-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** The rows of an upload that comes in chunks of `size`, or the error that refused it. */
async function take(body: Buffer, encoding: Encoding, size: number): Promise<number | Error> {
  const fd = openSync(join(directory, 'spool'), 'w');
  let spooled = 0;
  const intake = new Intake(
    { content: 'ORDERS', now: T, encoding, fd },
    (bytes) => (spooled = bytes),
  );
  try {
    for (let at = 0; at < body.length; at += size) await intake.write(body.subarray(at, at + size));
    const { rows, bytes } = await intake.end();
    expect(fstatSync(fd).size).toBe(bytes);
    expect(spooled).toBe(bytes);
    return rows;
  } catch (error) {
    return error as Error;
  } finally {
    intake.close();
    closeSync(fd);
  }
}

/** The same, whatever the chunks are. */
async function taken(body: Buffer, encoding: Encoding): Promise<number | Error> {
  const first = await take(body, encoding, body.length || 1);
  for (const size of body.length < 2000 ? [1, 7] : [1000]) {
    const again = await take(body, encoding, size);
    if (first instanceof Error) expect((again as Error).message).toBe(first.message);
    else expect(again).toBe(first);
  }
  return first;
}

/** One member, with what RFC 1952 allows in its header. */
function member(text: string, flags: number, extra: Buffer): Buffer {
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(crc32(text), 0);
  trailer.writeUInt32LE(text.length, 4);
  const header = Buffer.from([0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 3]);
  return Buffer.concat([header, extra, deflateRawSync(text), trailer]);
}

function headerSum(flags: number): Buffer {
  const sum = Buffer.alloc(2);
  sum.writeUInt16LE(crc32(Buffer.from([0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 3])) & 0xffff);
  return sum;
}

function flipped(bytes: Buffer, fromEnd: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[copy.length - fromEnd] = (copy[copy.length - fromEnd] ?? 0) ^ 0x40;
  return copy;
}

const A = gzipSync(line('A'));
const B = gzipSync(line('B'));
const EMPTY = gzipSync('');

describe('gzip: all of it is read, or it is refused', () => {
  test.each<[string, Buffer, number]>([
    ['one member', A, 1],
    ['two members', Buffer.concat([A, B]), 2],
    [
      'a line across two members',
      Buffer.concat([gzipSync('{"id":"A",'), gzipSync(`"createdTime":${T}}`)]),
      1,
    ],
    ['zero bytes at the end', Buffer.concat([A, zeros(5)]), 1],
    ['one zero byte between', Buffer.concat([A, zeros(1), B]), 2],
    ['blocks of zero bytes between and behind', Buffer.concat([A, zeros(512), B, zeros(1024)]), 2],
    ['zero bytes between many', Buffer.concat([A, zeros(3), B, zeros(2), A, zeros(1), B]), 4],
    ['empty members', Buffer.concat([EMPTY, A, EMPTY, zeros(1), EMPTY, B, EMPTY]), 2],
    ['nothing but an empty member', EMPTY, 0],
    ['FEXTRA', member(line('A'), 4, Buffer.from([3, 0, 1, 2, 3])), 1],
    ['FNAME', member(line('A'), 8, Buffer.from('name\0')), 1],
    ['FCOMMENT', member(line('A'), 16, Buffer.from('said\0')), 1],
    ['FHCRC', member(line('A'), 2, headerSum(2)), 1],
    [
      'FNAME in the second member, behind zero bytes',
      Buffer.concat([A, zeros(4), member(line('B'), 8, Buffer.from('b\0'))]),
      2,
    ],
  ])('%s', async (_what, body, rows) => {
    expect(await taken(body, 'gzip')).toBe(rows);
    expect(await taken(body, 'detect')).toBe(rows);
  });

  test.each<[string, Buffer, RegExp]>([
    ['garbage behind', Buffer.concat([A, Buffer.from('xyz')]), /not valid gzip/],
    [
      'garbage behind zero bytes',
      Buffer.concat([A, zeros(4), Buffer.from('xyz')]),
      /other bytes follow/,
    ],
    [
      'text behind zero bytes',
      Buffer.concat([A, zeros(1), Buffer.from(line('B'))]),
      /other bytes follow/,
    ],
    ['half of a magic number behind', Buffer.concat([A, Buffer.from([0x1f])]), /ends inside/],
    [
      'half of a magic number behind zero bytes',
      Buffer.concat([A, zeros(2), Buffer.from([0x1f])]),
      /ends inside/,
    ],
    ['a second member cut in its header', Buffer.concat([A, B.subarray(0, 5)]), /ends inside/],
    [
      'a second member cut behind zero bytes',
      Buffer.concat([A, zeros(3), B.subarray(0, -9)]),
      /ends inside/,
    ],
    ['cut in the header', A.subarray(0, 5), /ends inside/],
    ['cut in the body', A.subarray(0, 20), /ends inside/],
    ['cut before the trailer', A.subarray(0, -8), /ends inside/],
    ['cut in the trailer', A.subarray(0, -1), /ends inside/],
    ['a wrong checksum', flipped(A, 6), /incorrect data check/],
    ['a wrong length', flipped(A, 2), /incorrect length check/],
    [
      'a wrong checksum, and more behind',
      Buffer.concat([flipped(A, 6), B]),
      /incorrect data check/,
    ],
    [
      'a wrong checksum of the header',
      member(line('A'), 2, Buffer.from([1, 2])),
      /header crc mismatch/,
    ],
    ['reserved flags', member(line('A'), 0x20, Buffer.alloc(0)), /unknown header flags/],
    ['gzip inside of gzip', gzipSync(A), /holds gzip data again/],
    [
      'gzip inside of gzip, behind an empty member',
      Buffer.concat([EMPTY, gzipSync(A)]),
      /holds gzip data again/,
    ],
  ])('%s', async (_what, body, reason) => {
    for (const encoding of ['gzip', 'detect'] as const) {
      const error = await taken(body, encoding);
      expect(error).toBeInstanceOf(BadBody);
      expect((error as Error).message).toMatch(reason);
      expect((error as Error).message).toMatch(/nothing of this request was stored$/);
    }
  });

  test('announced, but none', async () => {
    for (const body of [Buffer.from(line('A')), Buffer.concat([zeros(1), A])])
      expect(((await taken(body, 'gzip')) as Error).message).toMatch(
        /not gzip, as Content-Encoding says/,
      );
    expect(((await taken(Buffer.alloc(0), 'gzip')) as Error).message).toMatch(/ends inside/);
  });

  test('not announced: over HTTP it is refused, from a file it tells itself', async () => {
    expect(((await taken(A, 'identity')) as Error).message).toMatch(
      /send the header Content-Encoding: gzip/,
    );
    expect(await taken(A, 'detect')).toBe(1);
    expect(await taken(Buffer.from(line('A')), 'detect')).toBe(1);
    expect(await taken(Buffer.alloc(0), 'detect')).toBe(0);
    expect(await taken(Buffer.from('\n'), 'detect')).toBe(0);
  });
});

describe('bombs', () => {
  test('a body that inflates beyond what objects do is refused before it fills a disk', async () => {
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024, '\n'));
    const error = await take(bomb, 'gzip', 4096);
    expect(error).toBeInstanceOf(TooLarge);
    expect((error as Error).message).toMatch(/more than 200 times its size/);
  });

  test('identical small lines are not objects either', async () => {
    const bomb = gzipSync(Buffer.from(line('A').repeat(600_000)));
    expect(await take(bomb, 'gzip', 4096)).toBeInstanceOf(TooLarge);
  });

  test('what compresses as well as objects can is taken in', async () => {
    const pad = 'x'.repeat(1500);
    const lines = Array.from(
      { length: 20_000 },
      (_, i) => `{"id":"A${(i * 7919) % 20_011}","createdTime":${T + i * 37},"pad":"${pad}"}\n`,
    );
    const body = gzipSync(lines.join(''));
    expect(body.length * 50).toBeLessThan(lines.join('').length);
    expect(await take(body, 'gzip', 65_536)).toBe(20_000);
  });
});

test('a bad line ends the upload with its number, counted over empty lines', async () => {
  const body = Buffer.from(`\n\n${line('A')}\r\n \t\n${line('B')}{"id":1}\n${line('C')}`);
  const error = await taken(body, 'identity');
  expect(error).toBeInstanceOf(BadLine);
  expect((error as Error).message).toMatch(/^line 7: id must be a string; got 1;/);
});
