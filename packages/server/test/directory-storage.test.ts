import { randomBytes } from 'node:crypto';
import { access, chmod, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DirectoryStorage } from '../src/storage/directory.ts';
import { fileKey } from '../src/storage/keys.ts';
import { canMount, mountSmall } from './small-disk.ts';
import { makeContent, ONE, storageContract, TWO } from './storage-contract.ts';

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
      await new DirectoryStorage(root).write(key, makeContent(Buffer.from('x')), signal);
      expect((await stat(join(root, key))).mode & 0o077).toBe(0);
      expect((await stat(join(root, ONE))).mode & 0o077).toBe(0);
      expect((await stat(root)).mode & 0o077).toBe(0);
    },
  );

  test('lists nothing but attempts, whatever else lies there', async () => {
    const root = newRoot();
    const storage = new DirectoryStorage(root);
    await storage.write(fileKey(ONE, 1, 0), makeContent(Buffer.from('x')), signal);
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
      storage.write(fileKey(ONE, 1, 0), makeContent(Buffer.from('x')), signal),
    ).rejects.toThrow(/ENOTDIR|EEXIST/);
    await expect(access(join(root, ONE))).rejects.toThrow();
  });

  test('a reader that goes away closes its file', async () => {
    const storage = new DirectoryStorage(newRoot());
    await storage.write(fileKey(ONE, 1, 0), makeContent(randomBytes(3_000_000)), signal);
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
