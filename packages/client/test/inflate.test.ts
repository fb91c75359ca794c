import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { ExportError } from '../src/errors.ts';
import { inflate, inflateWhole } from '../src/json/inflate.ts';
import { catchFailure } from './scene.ts';

const LIMIT = 1_000_000;
const text = '{"elements":[{"id":"A","createdTime":1}]}';
const half = [text.slice(0, 20), text.slice(20)].map((piece) => gzipSync(piece));
const zeros = (length: number): Buffer => Buffer.alloc(length);

/** Chunks of `size` bytes. */
function* chunked(bytes: Buffer, size: number): Generator<Buffer, void, void> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function streamed(bytes: Buffer, size: number, limit = LIMIT): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of inflate(chunked(bytes, size), limit)) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

const SIZES = [1, 2, 3, 7, 64, 1_000_000];

describe('content', () => {
  test.each<[string, Buffer, string]>([
    ['nothing', zeros(0), ''],
    ['one byte', Buffer.from('{'), '{'],
    ['plain text', Buffer.from(text), text],
    ['one member', gzipSync(text), text],
    ['two members', Buffer.concat(half), text],
    ['a member of nothing between others', Buffer.concat([half[0]!, gzipSync(''), half[1]!]), text],
    ['zeros at its end', Buffer.concat([gzipSync(text), zeros(1000)]), text],
    ['zeros between members', Buffer.concat([half[0]!, zeros(7), half[1]!, zeros(1)]), text],
    ['gzip of gzip', gzipSync(gzipSync(text)), text],
    ['gzip of two members of gzip', gzipSync(Buffer.concat(half)), text],
    ['a member that names its file', named(text), text],
  ])('%s is read whole, wherever it is cut into chunks', async (_name, bytes, expected) => {
    expect((await inflateWhole(bytes, LIMIT))?.toString()).toBe(expected);
    for (const size of SIZES) expect(await streamed(bytes, size), `${size}`).toBe(expected);
  });

  test('of three layers of gzip is still gzip after two', async () => {
    const bytes = gzipSync(gzipSync(gzipSync(text)));
    expect(await inflateWhole(bytes, LIMIT)).toEqual(gzipSync(text));
  });

  const member = gzipSync(text);
  const broken = Buffer.from(member);
  broken[broken.length - 6]! ^= 1;
  test.each<[string, Buffer]>([
    ['cut in its header', member.subarray(0, 5)],
    ['cut in its data', member.subarray(0, -20)],
    ['cut in its trailer', member.subarray(0, -1)],
    ['a second member that is cut', Buffer.concat([half[0]!, half[1]!.subarray(0, -1)])],
    ['another checksum', broken],
    ['something behind it', Buffer.concat([member, Buffer.from('x')])],
    ['something behind zeros', Buffer.concat([member, zeros(9), Buffer.from('{}')])],
    ['not gzip but for its first bytes', Buffer.from([0x1f, 0x8b, 1, 2, 3, 4, 5, 6, 7, 8])],
    ['inner gzip that is cut', gzipSync(member.subarray(0, -3))],
  ])('%s: BAD_FILE', async (_name, bytes) => {
    await catchFailure(inflateWhole(bytes, LIMIT), 'BAD_FILE');
    for (const size of SIZES) await catchFailure(streamed(bytes, size), 'BAD_FILE');
  });

  test('of more bytes than it may have is refused before it is held', async () => {
    const bomb = gzipSync(zeros(50_000_000));
    expect(await inflateWhole(bomb, LIMIT)).toBeUndefined();
    expect(await inflateWhole(gzipSync(bomb), LIMIT)).toBeUndefined();
    expect(await inflateWhole(Buffer.from(text), text.length - 1)).toBeUndefined();
    let received = 0;
    const reading = async (): Promise<void> => {
      for await (const piece of inflate(chunked(bomb, 64 * 1024), LIMIT)) received += piece.length;
    };
    expect((await catchFailure(reading(), 'BAD_FILE')).message).toBe(
      `it is longer than ${LIMIT} bytes`,
    );
    expect(received).toBeLessThanOrEqual(LIMIT);
  });

  test('that fails while it is read fails with its own error', async () => {
    async function* failing(): AsyncGenerator<Buffer, void, void> {
      yield gzipSync(text).subarray(0, 12);
      throw new ExportError('NETWORK', 'it broke off');
    }
    const reading = async (): Promise<void> => {
      for await (const _ of inflate(failing(), LIMIT));
    };
    await catchFailure(reading(), 'NETWORK');
  });
});

/** A gzip member with a file's name in its header (RFC 1952, FLG.FNAME). */
function named(content: string): Buffer {
  const plain = gzipSync(content);
  const header = Buffer.from(plain.subarray(0, 10));
  header[3] = 0x08;
  return Buffer.concat([header, Buffer.from('january.json\0'), plain.subarray(10)]);
}
