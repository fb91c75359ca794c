import { createHash, randomBytes } from 'node:crypto';
import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ByteRange, inflate } from '../src/http/representation.ts';

describe('inflating', () => {
  /** The bytes in chunks, as a disk gives them. */
  function stored(content: Buffer, chunk: number): Readable {
    const zipped = gzipSync(content, { level: 1 });
    return Readable.from(
      (function* () {
        for (let at = 0; at < zipped.length; at += chunk) yield zipped.subarray(at, at + chunk);
      })(),
      { objectMode: false },
    );
  }

  test('any range of any file is that slice of it', async () => {
    const contents = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 2000 }).map((bytes) => Buffer.from(bytes)),
      fc.integer({ min: 1, max: 200_000 }).map((size) => Buffer.alloc(size, '{"id":"ABC"},')),
      fc.integer({ min: 1, max: 200_000 }).map((size) => randomBytes(size)),
    );
    await fc.assert(
      fc.asyncProperty(
        contents,
        fc.nat(),
        fc.nat(),
        fc.integer({ min: 1, max: 100_000 }),
        async (content, a, b, chunk) => {
          const [start = 0, end = 0] = [a % content.length, b % content.length].toSorted(
            (x, y) => x - y,
          );
          const size = Math.max(chunk, Math.ceil(content.length / 500));
          const part = await buffer(inflate(stored(content, size), { start, end }));
          expect(part.equals(content.subarray(start, end + 1))).toBe(true);
        },
      ),
      { numRuns: 150 },
    );
  });

  test('without a range, the whole', async () => {
    const content = randomBytes(300_000);
    const whole = await buffer(inflate(stored(content, 4096), null));
    expect(whole.equals(content)).toBe(true);
    const hash = createHash('sha256').update(whole).digest('hex');
    expect(hash).toBe(
      createHash('sha256')
        .update(gunzipSync(gzipSync(content)))
        .digest('hex'),
    );
  });

  test.each<[string, ByteRange | null]>([
    ['whole', null],
    ['a range', { start: 0, end: 250_000 }],
  ])('a stored file that ends early is an error, not a short answer: %s', async (_what, range) => {
    const zipped = gzipSync(randomBytes(300_000));
    const short = Readable.from([zipped.subarray(0, 200_000)], { objectMode: false });
    await expect(buffer(inflate(short, range))).rejects.toThrow();
  });

  test('a disk that fails is an error for the reader', async () => {
    const source = new PassThrough();
    const reading = buffer(inflate(source, { start: 0, end: 10 }));
    source.write(gzipSync(randomBytes(1000)).subarray(0, 20));
    source.destroy(new Error('the disk failed'));
    await expect(reading).rejects.toThrow();
  });

  test('a reader that goes away closes the file', async () => {
    const source = stored(randomBytes(3_000_000), 4096);
    const reading = inflate(source, { start: 0, end: 2_999_999 });
    await new Promise((resolve) => {
      reading.once('data', resolve);
    });
    const closed = new Promise((resolve) => {
      source.once('close', resolve);
    });
    reading.destroy();
    await closed;
    expect(source.destroyed).toBe(true);
  });
});
