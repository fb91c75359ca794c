import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PIECE_BYTES } from '../src/sink/cutter.ts';
import { IN_FLIGHT_BYTES, StorageError, writeFiles } from '../src/sink/write-files.ts';
import {
  makeBatches,
  gate,
  ignorePosition,
  Memory,
  noise,
  Source,
  stalled,
  type TestRow,
} from './write-files-scene.ts';

const LAYOUT = { format: 'json', objectsPerFile: 1000 } as const;

function write(
  batches: Batches,
  store: Parameters<typeof writeFiles>[2],
  onPosition: (position: number) => void,
): ReturnType<typeof writeFiles> {
  return writeFiles(batches, LAYOUT, store, onPosition);
}

type Batches = Parameters<typeof writeFiles>[0];

describe('the manifest', () => {
  test('says of each file what it is', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 2500 }),
        fc.integer({ min: 2, max: 400 }),
        fc.integer({ min: 1, max: 700 }),
        async (count, bytes, batch) => {
          const objects = [...noise(count, bytes)];
          const memory = new Memory();
          const positions: number[] = [];
          const manifest = await write(
            new Source(makeBatches(objects, batch)),
            memory.store(),
            (position) => positions.push(position),
          );
          const texts = memory.files.map((file) => gunzipSync(file));
          expect(manifest).toEqual(
            texts.map((text, i) => ({
              objects: Math.min(1000, count - i * 1000),
              bytes: text.length,
              compressedBytes: memory.files[i]?.length,
              sha256: createHash('sha256').update(text).digest('hex'),
              storedEtag: null,
            })),
          );
          const joined = texts.map((text) => text.toString().slice('{"elements":['.length, -2));
          expect(joined.join(',') === objects.join(',')).toBe(true);
          expect(memory.active).toBe(0);
          expect(positions.at(-1)).toBe(count > 0 ? 1000 + count - 1 : undefined);
          expect(positions).toEqual(positions.toSorted((a, b) => a - b));
        },
      ),
      { numRuns: 30 },
    );
  });

  test('files of several pieces, several at once', async () => {
    const objects = [...noise(3200, 2000)];
    const memory = new Memory();
    // Later files end first: the manifest keeps the order of the files all the same.
    const store = memory.store((position) => wait(100 - 30 * position));
    const manifest = await write(new Source(makeBatches(objects, 100)), store, ignorePosition);
    expect(memory.mostActive).toBeGreaterThan(1);
    expect(manifest.map((file) => file.objects)).toEqual([1000, 1000, 1000, 200]);
    const hashes = memory.files.map((file) =>
      createHash('sha256').update(gunzipSync(file)).digest('hex'),
    );
    expect(manifest.map((file) => file.sha256)).toEqual(hashes);
    const joined = memory.files.map((file) => gunzipSync(file).toString().slice(13, -2)).join(',');
    expect(joined === objects.join(',')).toBe(true);
  });

  test('a single object larger than all that may be in flight', async () => {
    const [object = Buffer.alloc(0)] = noise(1, IN_FLIGHT_BYTES + 3 * PIECE_BYTES);
    const memory = new Memory();
    const manifest = await write(
      new Source(makeBatches([object], 1)),
      memory.store(),
      ignorePosition,
    );
    expect(manifest).toMatchObject([{ objects: 1, bytes: object.length + 15 }]);
    expect(gunzipSync(memory.files[0] ?? Buffer.alloc(0)).length).toBe(object.length + 15);
  });

  test('no objects: no files', async () => {
    const memory = new Memory();
    expect(await write(new Source([]), memory.store(), ignorePosition)).toEqual([]);
    expect(await write(new Source([[], []]), memory.store(), ignorePosition)).toEqual([]);
    expect(memory.started).toBe(0);
  });
});

describe('a store that fails', () => {
  const full = new Error('no space left on device');

  test.each<[string, (position: number, content: Readable) => Promise<void>]>([
    ['at once', (position) => (position === 1 ? Promise.reject(full) : Promise.resolve())],
    [
      'later',
      async (position) => {
        await wait(50);
        if (position === 1) throw full;
      },
    ],
    [
      'half-way through the file',
      async (position, content) => {
        if (position !== 1) return;
        for await (const _ of content) throw full;
      },
    ],
  ])('for the second file, %s: rejects, and nothing is left pending', async (_what, before) => {
    const memory = new Memory();
    const source = new Source(makeBatches(noise(5000, 1000), 100));
    const error: unknown = await write(source, memory.store(before), ignorePosition).then(
      () => null,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(StorageError);
    expect((error as StorageError).cause).toBe(full);
    expect(memory.active).toBe(0);
    expect(source.closed).toBe(true);
    const started = memory.started;
    await wait(100);
    expect(memory.started).toBe(started);
  });

  test('for the last file, after the source has ended', async () => {
    const memory = new Memory();
    const store = memory.store((position) =>
      position === 1 ? Promise.reject(full) : Promise.resolve(),
    );
    const source = new Source(makeBatches(noise(1001, 100), 100));
    await expect(write(source, store, ignorePosition)).rejects.toThrow(StorageError);
    expect(memory.active).toBe(0);
  });

  test('an endless source is given up soon', async () => {
    const memory = new Memory();
    const store = memory.store((position) =>
      position === 1 ? Promise.reject(full) : Promise.resolve(),
    );
    const source = new Source(makeBatches(noise(Infinity, 1000), 100));
    await expect(write(source, store, ignorePosition)).rejects.toThrow(StorageError);
    expect(source.closed).toBe(true);
    // The failing file begins at 1 MB; what may be in flight can follow it.
    expect(source.bytes).toBeLessThan(2 * IN_FLIGHT_BYTES);
  });
});

describe('a source that fails', () => {
  test('its own error comes through, and nothing is left pending', async () => {
    const broken = new Error('the link broke');
    const memory = new Memory();
    const batches = async function* (): AsyncGenerator<TestRow[]> {
      yield* makeBatches(noise(2500, 1000), 100);
      throw broken;
    };
    const slow = memory.store(() => wait(50));
    await expect(write(batches(), slow, ignorePosition)).rejects.toBe(broken);
    expect(memory.active).toBe(0);
    // The third file was never whole: what came of it does not count as stored.
    expect(memory.files[2]).toBeUndefined();
  });

  test('at its first batch: no file was begun', async () => {
    const memory = new Memory();
    const batches: Batches = {
      [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new Error('no connection')) }),
    };
    await expect(write(batches, memory.store(), ignorePosition)).rejects.toThrow('no connection');
    expect(memory.started).toBe(0);
  });
});

describe('a slow store holds the source back', () => {
  test('large objects: by the bytes in flight', async () => {
    const { opened, open } = gate();
    const memory = new Memory();
    const source = new Source(makeBatches(noise(3000, 20_000), 10));
    const writing = write(
      source,
      memory.store(() => opened),
      ignorePosition,
    );
    await stalled(source);
    // The waiting pieces, the excess of one batch, and the share of zlib and the streams in each file.
    expect(source.bytes).toBeLessThan(IN_FLIGHT_BYTES + 200_000 + 2 * PIECE_BYTES);
    expect(source.bytes).toBeGreaterThan(IN_FLIGHT_BYTES / 2);
    open();
    const manifest = await writing;
    expect(manifest.map((file) => file.objects)).toEqual([1000, 1000, 1000]);
    expect(source.bytes).toBeGreaterThan(60_000_000);
  });

  test('small objects: files that wait to be stored count as well', async () => {
    const { opened, open } = gate();
    const memory = new Memory();
    const object = Buffer.from('{"id":"A"}');
    const source = new Source(makeBatches(Array<Buffer>(400_000).fill(object), 1000));
    const writing = write(
      source,
      memory.store(() => opened),
      ignorePosition,
    );
    await stalled(source);
    // Each holds its compressor and an open file.
    expect(memory.active).toBeLessThanOrEqual(IN_FLIGHT_BYTES / PIECE_BYTES + 2);
    open();
    expect(await writing).toHaveLength(400);
    expect(memory.mostActive).toBeLessThanOrEqual(IN_FLIGHT_BYTES / PIECE_BYTES + 2);
  });
});
