import { randomBytes } from 'node:crypto';
import { access, chmod, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { DirectoryStorage } from '../src/storage/directory.ts';
import { attemptPrefix, exportPrefix, fileKey } from '../src/storage/keys.ts';
import { FileMissing, type Storage } from '../src/storage/storage.ts';
import { canMount, mountSmall } from './small-disk.ts';

const ONE = '0123456789ABC';
const TWO = 'ZYXWVTSRQPNMK';

function contentOf(bytes: Buffer, chunk = 64 * 1024): Readable {
  return Readable.from(
    (function* () {
      for (let at = 0; at < bytes.length; at += chunk) yield bytes.subarray(at, at + chunk);
    })(),
    { objectMode: false },
  );
}

/** The contract of every storage, whatever is beneath it. `make` gives an empty one, and its end. */
export function storageContract(
  name: string,
  make: () => Promise<{ storage: Storage; dispose(): Promise<void> }>,
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

    const write = (key: string, bytes: Buffer): Promise<number> =>
      storage.write(key, contentOf(bytes), signal);
    const read = async (key: string, range?: { start: number; end: number }): Promise<Buffer> =>
      buffer(await storage.read(key, range));
    const attempts = async (): Promise<string[]> => {
      const found: string[] = [];
      for await (const { exportId, attempt } of storage.listAttempts())
        found.push(`${exportId}/${attempt}`);
      return found.toSorted();
    };

    test('gives back the bytes it was given, and says how many', async () => {
      for (const size of [0, 1, 65_535, 65_536, 3_000_000]) {
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

    test('removing what is not there is no error', async () => {
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

    test('of many that give it an identity at once, one does, and all read that one', async () => {
      const ids = Array.from({ length: 20 }, (_, i) => `id-${i}`);
      const made = await Promise.all(ids.map((id) => storage.createIdentity(id)));
      expect(made.filter(Boolean)).toEqual([true]);
      expect(await storage.readIdentity()).toBe(ids[made.indexOf(true)]);
    });

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

let parent: string;
let made = 0;

beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), 'tillroll-storage-'));
});
afterAll(async () => {
  await rm(parent, { recursive: true, force: true });
});

function newRoot(): string {
  return join(parent, String(made++));
}

storageContract('a directory', () => {
  const root = newRoot();
  return Promise.resolve({
    storage: new DirectoryStorage(root),
    dispose: () => rm(root, { recursive: true, force: true }),
  });
});

describe('a directory', () => {
  const { signal } = new AbortController();

  test('an identity makes it; check leaves nothing beside', async () => {
    const root = join(newRoot(), 'deep', 'er');
    const storage = new DirectoryStorage(root);
    await expect(storage.check()).rejects.toThrow(/ENOENT/);
    expect(await storage.createIdentity('it')).toBe(true);
    await storage.check();
    expect(await readdir(root)).toEqual(['tillroll-store.json']);
    expect((await stat(join(root, 'tillroll-store.json'))).mode & 0o077).toBe(0);
  });

  test.each(['', '{', '{}', '{"store":""}', '{"store":7}', 'null'])(
    'an identity file that is damaged is neither another store nor a missing one: %j',
    async (text) => {
      const root = newRoot();
      await mkdir(root);
      await writeFile(join(root, 'tillroll-store.json'), text);
      await expect(new DirectoryStorage(root).readIdentity()).rejects.toThrow(/is damaged/);
    },
  );

  test('check names a place where nothing can be written', async () => {
    const file = newRoot();
    await writeFile(file, 'a file, not a directory');
    for (const root of [join(file, 'files'), file]) {
      await expect(new DirectoryStorage(root).check()).rejects.toThrow(/ENOTDIR/);
      await expect(new DirectoryStorage(root).createIdentity('x')).rejects.toThrow(
        /EEXIST|ENOTDIR/,
      );
    }
  });

  test.skipIf(process.getuid?.() === 0)('check names a read-only directory', async () => {
    const root = newRoot();
    await mkdir(root, { mode: 0o500 });
    await expect(new DirectoryStorage(root).check()).rejects.toThrow(/EACCES/);
    await chmod(root, 0o700);
  });

  test.skipIf(!canMount)('a full disk: check says so, and leaves nothing', async () => {
    const root = newRoot();
    await mkdir(root);
    const unmount = mountSmall(root);
    try {
      const storage = new DirectoryStorage(root);
      await storage.createIdentity('it');
      await storage.check();
      const filler = join(root, 'filler');
      await expect(writeFile(filler, randomBytes(2 * 1024 * 1024))).rejects.toThrow(/ENOSPC/);
      const before = await readdir(root);
      for (let i = 0; i < 50; i++) await expect(storage.check()).rejects.toThrow(/ENOSPC/);
      expect(await readdir(root)).toEqual(before);
      expect(before.toSorted()).toEqual(['filler', 'tillroll-store.json']);
      await rm(filler);
      await storage.check();
    } finally {
      unmount();
    }
  });

  test.skipIf(process.platform === 'win32')(
    "other users cannot read a merchant's orders",
    async () => {
      const root = newRoot();
      const key = fileKey(ONE, 1, 0);
      await new DirectoryStorage(root).write(key, contentOf(Buffer.from('x')), signal);
      expect((await stat(join(root, key))).mode & 0o077).toBe(0);
      expect((await stat(join(root, ONE))).mode & 0o077).toBe(0);
      expect((await stat(root)).mode & 0o077).toBe(0);
    },
  );

  test('lists nothing but attempts, whatever else lies there', async () => {
    const root = newRoot();
    const storage = new DirectoryStorage(root);
    await storage.write(fileKey(ONE, 1, 0), contentOf(Buffer.from('x')), signal);
    await mkdir(join(root, 'lost+found', '1'), { recursive: true });
    await mkdir(join(root, ONE, 'not-an-attempt'));
    await mkdir(join(root, ONE.toLowerCase(), '1'), { recursive: true });
    await writeFile(join(root, TWO), 'a file');
    await writeFile(join(root, ONE, '7'), 'a file');
    const found: unknown[] = [];
    for await (const attempt of storage.listAttempts()) found.push(attempt);
    expect(found).toEqual([{ exportId: ONE, attempt: 1 }]);
  });

  test('a directory that was never written to lists nothing', async () => {
    for await (const _ of new DirectoryStorage(newRoot()).listAttempts()) expect.unreachable();
  });

  test('a write that cannot begin leaves no file', async () => {
    const root = newRoot();
    await writeFile(root, 'a file, not a directory');
    const storage = new DirectoryStorage(root);
    await expect(
      storage.write(fileKey(ONE, 1, 0), contentOf(Buffer.from('x')), signal),
    ).rejects.toThrow(/ENOTDIR|EEXIST/);
    await expect(access(join(root, ONE))).rejects.toThrow();
  });

  test('a reader that goes away closes its file', async () => {
    const storage = new DirectoryStorage(newRoot());
    await storage.write(fileKey(ONE, 1, 0), contentOf(randomBytes(3_000_000)), signal);
    const reading = await storage.read(fileKey(ONE, 1, 0));
    await new Promise((resolve) => {
      reading.once('data', resolve);
    });
    const closed = new Promise((resolve) => {
      reading.once('close', resolve);
    });
    reading.destroy();
    await closed;
    expect(reading.destroyed).toBe(true);
  });
});

describe('keys', () => {
  test('spell export, attempt and position', () => {
    expect(exportPrefix(ONE)).toBe(`${ONE}/`);
    expect(attemptPrefix(ONE, 2)).toBe(`${ONE}/2/`);
    expect(fileKey(ONE, 2, 0)).toBe(`${ONE}/2/000000.json.gz`);
    expect(fileKey(ONE, 2, 1234)).toBe(`${ONE}/2/001234.json.gz`);
  });

  test('sort like their positions', () => {
    fc.assert(
      fc.property(fc.nat(999_999), fc.nat(999_999), (a, b) => {
        expect(fileKey(ONE, 1, a) < fileKey(ONE, 1, b)).toBe(a < b);
      }),
    );
  });

  test('no prefix holds another attempt', () => {
    fc.assert(
      fc.property(fc.nat(1000), fc.nat(1000), fc.nat(1000), (a, b, position) => {
        expect(fileKey(ONE, a, position).startsWith(attemptPrefix(ONE, b))).toBe(a === b);
      }),
    );
  });

  test.each([
    '',
    '.',
    '..',
    '../',
    '../../etc/pass',
    '/',
    ONE.toLowerCase(),
    ONE.slice(1),
    `${ONE}0`,
    `${ONE}/`,
    `${ONE}\n`,
    `${ONE}\0`,
    `${ONE.slice(0, 12)}/`,
    `${ONE.slice(0, 12)}I`,
    `${ONE.slice(0, 12)}é`,
    '%2e%2e%2f%2e%2e%2f',
  ])('refuse the id %j', (id) => {
    expect(() => exportPrefix(id)).toThrow(RangeError);
    expect(() => attemptPrefix(id, 1)).toThrow(RangeError);
    expect(() => fileKey(id, 1, 0)).toThrow(RangeError);
  });

  test.each([-1, 1.5, Number.NaN, Infinity, 2 ** 53])('refuse the number %d', (number) => {
    expect(() => attemptPrefix(ONE, number)).toThrow(RangeError);
    expect(() => fileKey(ONE, number, 0)).toThrow(RangeError);
    expect(() => fileKey(ONE, 1, number)).toThrow(RangeError);
  });
});
