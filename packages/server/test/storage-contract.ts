import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { attemptPrefix, exportPrefix, fileKey } from '../src/storage/keys.ts';
import { FileMissing, type Storage } from '../src/storage/storage.ts';

export const ONE = '0123456789ABC';

export const TWO = 'ZYXWVTSRQPNMK';

export function makeContent(bytes: Buffer, chunk = 64 * 1024): Readable {
  return Readable.from(
    (function* () {
      for (let at = 0; at < bytes.length; at += chunk) yield bytes.subarray(at, at + chunk);
    })(),
    { objectMode: false },
  );
}

/**
 * The contract of every storage, whatever is beneath it. `make` gives an empty one, and its end.
 * @param options hasConditionalWrites: whether what is beneath can write a file only where there is none.
 * hasFirstByte: whether it can be asked for the first byte alone.
 */
export function storageContract(
  name: string,
  make: () => Promise<{ storage: Storage; dispose(): Promise<void> }>,
  {
    hasConditionalWrites = true,
    hasFirstByte = true,
  }: { hasConditionalWrites?: boolean; hasFirstByte?: boolean } = {},
): void {
  describe(`the storage contract: ${name}`, () => {
    let storage: Storage;
    let dispose: () => Promise<void>;
    const { signal } = new AbortController();

    beforeEach(async () => {
      const made = await make();
      storage = made.storage;
      dispose = () => made.dispose();
    });
    afterEach(() => dispose());

    const write = async (key: string, bytes: Buffer): Promise<number> =>
      (await storage.write(key, makeContent(bytes), signal)).bytes;
    const read = async (key: string, range?: { start: number; end: number }): Promise<Buffer> =>
      buffer(await storage.read(key, range));
    const attempts = async (): Promise<string[]> => {
      const found: string[] = [];
      for await (const { exportId, attempt } of storage.listAttempts())
        found.push(`${exportId}/${attempt}`);
      return found.toSorted();
    };

    test('gives back the bytes it was given, and says how many', async () => {
      for (const size of [0, 1, 65_535, 65_536, 3_000_000, 5_242_880, 12_000_000]) {
        const bytes = randomBytes(size);
        const key = fileKey(ONE, 1, size);
        expect(await write(key, bytes)).toBe(size);
        expect((await read(key)).equals(bytes)).toBe(true);
      }
    });

    test('any range of a file, both ends inclusive', async () => {
      const bytes = randomBytes(700_000);
      const key = fileKey(ONE, 1, 0);
      await write(key, bytes);
      const bound = fc.oneof(fc.nat(bytes.length - 1), fc.constantFrom(0, bytes.length - 1));
      await fc.assert(
        fc.asyncProperty(bound, bound, async (a, b) => {
          const [start, end] = [Math.min(a, b), Math.max(a, b)];
          fc.pre(hasFirstByte || end > 0);
          const part = await read(key, { start, end });
          expect(part.equals(bytes.subarray(start, end + 1))).toBe(true);
        }),
        { numRuns: 40 },
      );
    });

    test('a file that is not there', async () => {
      await expect(storage.read(fileKey(ONE, 1, 0))).rejects.toThrow(FileMissing);
      await write(fileKey(ONE, 1, 0), Buffer.from('x'));
      await expect(storage.read(fileKey(ONE, 1, 1))).rejects.toThrow(FileMissing);
      await expect(storage.read(fileKey(ONE, 2, 0))).rejects.toThrow(FileMissing);
      await expect(storage.read(fileKey(TWO, 1, 0), { start: 0, end: 0 })).rejects.toThrow(
        FileMissing,
      );
    });

    test('writing again replaces the whole file', async () => {
      const key = fileKey(ONE, 1, 0);
      await write(key, randomBytes(100_000));
      await write(key, Buffer.from('short'));
      expect((await read(key)).toString()).toBe('short');
    });

    test('many files at once do not disturb each other', async () => {
      const files = Array.from({ length: 20 }, (_, i) => ({
        key: fileKey(i % 2 === 0 ? ONE : TWO, 1 + (i % 3), i),
        bytes: randomBytes(200_000 + i),
      }));
      await Promise.all(files.map(({ key, bytes }) => write(key, bytes)));
      for (const { key, bytes } of files) expect((await read(key)).equals(bytes)).toBe(true);
    });

    test("removes an attempt's files and no others", async () => {
      for (const attempt of [1, 2, 11])
        for (const position of [0, 1])
          await write(fileKey(ONE, attempt, position), Buffer.from('x'));
      await write(fileKey(TWO, 1, 0), Buffer.from('x'));
      await storage.removePrefix(attemptPrefix(ONE, 1));
      expect(await attempts()).toEqual([`${ONE}/11`, `${ONE}/2`, `${TWO}/1`]);
      await expect(storage.read(fileKey(ONE, 1, 0))).rejects.toThrow(FileMissing);
      expect((await read(fileKey(ONE, 11, 1))).toString()).toBe('x');
    });

    test("removes all of an export's files and no others", async () => {
      await write(fileKey(ONE, 1, 0), Buffer.from('x'));
      await write(fileKey(ONE, 2, 0), Buffer.from('x'));
      await write(fileKey(TWO, 1, 0), Buffer.from('x'));
      await storage.removePrefix(exportPrefix(ONE));
      expect(await attempts()).toEqual([`${TWO}/1`]);
      // The same id can be written to again.
      await write(fileKey(ONE, 3, 0), Buffer.from('y'));
      expect((await read(fileKey(ONE, 3, 0))).toString()).toBe('y');
    });

    test('removing what is not there does nothing', async () => {
      await storage.removePrefix(exportPrefix(ONE));
      await storage.removePrefix(attemptPrefix(TWO, 4));
      expect(await attempts()).toEqual([]);
    });

    test('lists each attempt once', async () => {
      expect(await attempts()).toEqual([]);
      for (const position of [0, 1, 2]) await write(fileKey(ONE, 1, position), Buffer.from('x'));
      await write(fileKey(ONE, 12, 0), Buffer.from('x'));
      await write(fileKey(TWO, 3, 999_999), Buffer.from('x'));
      expect(await attempts()).toEqual([`${ONE}/1`, `${ONE}/12`, `${TWO}/3`]);
    });

    test('a source that fails makes the write fail with its error', async () => {
      const content = Readable.from(
        (async function* () {
          yield randomBytes(100_000);
          await Promise.resolve();
          throw new Error('the compressor failed');
        })(),
        { objectMode: false },
      );
      await expect(storage.write(fileKey(ONE, 1, 0), content, signal)).rejects.toThrow(
        'the compressor failed',
      );
    });

    test('an abort ends a write, with the reason of the signal', async () => {
      const aborting = new AbortController();
      const reason = new Error('shutdown');
      const content = Readable.from(
        (async function* () {
          for (let i = 0; ; i++) {
            if (i === 3) aborting.abort(reason);
            yield randomBytes(10_000);
            await Promise.resolve();
          }
        })(),
        { objectMode: false },
      );
      await expect(storage.write(fileKey(ONE, 1, 0), content, aborting.signal)).rejects.toBe(
        reason,
      );
      // The bytes written so far are removed with its prefix, as usual.
      await storage.removePrefix(attemptPrefix(ONE, 1));
      expect(await attempts()).toEqual([]);
    });

    test('check passes, also twice at once, and leaves nothing to list', async () => {
      await storage.createIdentity('check');
      await Promise.all([storage.check(), storage.check()]);
      expect(await attempts()).toEqual([]);
    });

    test('has no identity until it is given one, and then that one for ever', async () => {
      expect(await storage.readIdentity()).toBeNull();
      expect(await storage.createIdentity('first')).toBe(true);
      expect(await storage.readIdentity()).toBe('first');
      expect(await storage.createIdentity('second')).toBe(false);
      expect(await storage.readIdentity()).toBe('first');
      expect(await attempts()).toEqual([]);
    });

    test.runIf(hasConditionalWrites)(
      'of many that give it an identity at once, one does, and all read that one',
      async () => {
        const ids = Array.from({ length: 20 }, (_, i) => `id-${i}`);
        const made = await Promise.all(ids.map((id) => storage.createIdentity(id)));
        expect(made.filter(Boolean)).toEqual([true]);
        expect(await storage.readIdentity()).toBe(ids[made.indexOf(true)]);
      },
    );

    test('files come and go without its identity', async () => {
      await storage.createIdentity('it');
      await write(fileKey(ONE, 1, 0), Buffer.from('x'));
      await storage.removePrefix(exportPrefix(ONE));
      expect(await storage.readIdentity()).toBe('it');
    });

    test('says where it is', () => {
      expect(storage.location).toMatch(/\w/);
    });
  });
}
