import { mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { describe, expect, test } from 'vitest';
import { ExportError } from '../src/errors.ts';
import { prepare, readAll, requests, servedBy } from './export-parts-scene.ts';
import { catchFailure } from './scene.ts';

describe('the parts of an export', () => {
  test.each([
    [true, '.json.gz'],
    [false, '.json'],
  ])('are what was served; gzip: %j', async (gzip, suffix) => {
    await using made = await prepare({ gzip });
    await using parts = await made.open();
    expect(parts.count).toBe(5);
    expect(await readAll(parts)).toEqual(servedBy(made));
    expect((await parts.part(3)).expected).toEqual(made.scene.fake.exports[0]?.makeEntry(3));
    const names = ['0000', '0001', '0002', '0003', '0004'].map((name) => name + suffix);
    expect((await readdir(made.folder)).toSorted()).toEqual([...names, 'manifest.json']);
    for (const name of [...names, 'manifest.json'])
      expect((await stat(join(made.folder, name))).mode & 0o777).toBe(0o600);
    expect((await stat(made.folder)).mode & 0o777).toBe(0o700);
  });

  test('that are there need no server', async () => {
    await using made = await prepare();
    {
      await using parts = await made.open();
      await readAll(parts);
    }
    await made.scene.fake.close();
    await using again = await made.open();
    expect(await readAll(again)).toEqual(servedBy(made));
  });

  test('that are missing are fetched, those that are there are not', async () => {
    await using made = await prepare();
    {
      await using parts = await made.open();
      await readAll(parts);
    }
    await rm(join(made.folder, '0001.json.gz'));
    const asked = requests(made).length;
    await using again = await made.open();
    expect(await readAll(again)).toEqual(servedBy(made));
    expect(requests(made)).toHaveLength(asked + 1);
    expect(requests(made).at(-1)?.position).toBe(1);
  });

  test('that are gone from the server: GONE, told at once', async () => {
    await using made = await prepare({ faults: { vanished: { downloads: 2 } } });
    const error = await catchFailure(made.open({ limit: pLimit(1) }).then(readAll), 'GONE');
    expect(error.message).toContain(made.exportId);
    expect(await readdir(made.folder)).toContain('0001.json.gz');
    await catchFailure(made.open(), 'GONE');
  });

  test('of an export that lists other files now are thrown away', async () => {
    await using made = await prepare();
    {
      await using parts = await made.open();
      await readAll(parts);
    }
    const exported = await made.api.show(made.exportId);
    const elements = exported.exportUrls?.elements.slice(0, 3) ?? [];
    const asked = requests(made).length;
    await using fewer = await made.open({ exported: { ...exported, exportUrls: { elements } } });
    expect(fewer.count).toBe(3);
    await readAll(fewer);
    expect(requests(made)).toHaveLength(asked + 3);
    expect((await readdir(made.folder)).toSorted()).toEqual([
      '0000.json.gz',
      '0001.json.gz',
      '0002.json.gz',
      'manifest.json',
    ]);
  });

  test('keep their order when the service lists them in another one', async () => {
    await using made = await prepare({ faults: { order: { how: 'reversed', after: 1 } } });
    await using parts = await made.open();
    expect(await readAll(parts)).toEqual(servedBy(made));
  });

  test.each(['{', 'null', '{"export":"OTHER","files":[]}', '{"files":[{"key":7}]}'])(
    'with the manifest %s are fetched anew',
    async (manifest) => {
      await using made = await prepare();
      await mkdir(made.folder, { recursive: true, mode: 0o700 });
      await writeFile(join(made.folder, 'manifest.json'), manifest);
      await writeFile(join(made.folder, '0000.json'), 'of another export');
      await using parts = await made.open();
      expect(await readAll(parts)).toEqual(servedBy(made));
    },
  );

  test(
    'may be three thousand, and nobody waits for most of them',
    { timeout: 60_000 },
    async () => {
      await using made = await prepare({ orders: 3000, perFile: 1 });
      let rejections = 0;
      const onRejection = (): void => void rejections++;
      process.on('unhandledRejection', onRejection);
      {
        await using parts = await made.open();
        expect(parts.count).toBe(3000);
        expect((await parts.part(2999)).path).toMatch(/2999\.json\.gz$/);
      }
      const names = await readdir(made.folder);
      expect(names.filter((name) => name.endsWith('.gz')).length).toBeGreaterThan(2990);
      await rm(join(made.folder, '0007.json.gz'));
      await rm(join(made.folder, '2000.json.gz'));
      made.scene.fake.set({ status: { on: 'file', status: 410 } });
      {
        // Nobody looks at a single one: the failure is nobody's.
        await using parts = await made.open();
        const error = await catchFailure(
          parts.part(0).then(() => parts.part(2000)),
          'GONE',
        );
        expect(error.message).toMatch(/file (7|2000) of export/);
      }
      await new Promise(setImmediate);
      process.off('unhandledRejection', onRejection);
      expect(rejections).toBe(0);
    },
  );
});

describe('a hostile folder', () => {
  test.each(['0002.json', '0002.json.gz', '0002.part', '0002.part.json', 'manifest.json'])(
    'a link as %s: refused, and what it leads to stays as it is',
    async (name) => {
      await using made = await prepare();
      const victim = join(made.scene.directory, 'victim');
      await writeFile(victim, 'precious');
      await mkdir(made.folder, { recursive: true, mode: 0o700 });
      await symlink(victim, join(made.folder, name));
      const error = await catchFailure(made.open(), 'DIRECTORY');
      expect(error.message).toContain(`${name} is a symbolic link, not a file`);
      expect(await readFile(victim, 'utf8')).toBe('precious');
    },
  );

  test('a link as the folder itself: refused', async () => {
    await using made = await prepare();
    const elsewhere = join(made.scene.directory, 'elsewhere');
    await mkdir(elsewhere);
    await mkdir(join(made.folder, '..'), { recursive: true });
    await symlink(elsewhere, made.folder);
    await catchFailure(made.open(), 'DIRECTORY');
    expect(await readdir(elsewhere)).toEqual([]);
  });
});

describe('a part that is bad', () => {
  const fault = new ExportError('BAD_FILE', 'it is not JSON');

  test('is deleted and fetched again, three times at most', async () => {
    await using made = await prepare();
    await using parts = await made.open();
    await readAll(parts);
    const { path } = await parts.part(2);
    await writeFile(path, 'altered');
    const again = await parts.refetch(2, fault);
    expect(again).toMatchObject({ position: 2, path });
    expect(await readAll(parts)).toEqual(servedBy(made));
    await parts.refetch(2, fault);
    await parts.refetch(1, fault);
    const error = await catchFailure(parts.refetch(2, fault), 'BAD_FILE');
    expect(error.message).toBe(`file 2 of export ${made.exportId} is damaged: it is not JSON`);
    expect(error.hint).toMatch(/service is at fault/);
    expect(requests(made).filter(({ position }) => position === 2)).toHaveLength(3);
  });

  test('is found while it is fetched, too', async () => {
    await using made = await prepare({ faults: { endless: { on: 'file', position: 1 } } });
    const error = await catchFailure(made.open().then(readAll), 'BAD_FILE');
    expect(error.message).toMatch(/^file 1 of export \w+ is damaged: it is longer than \d+ bytes$/);
    expect(requests(made).filter(({ position }) => position === 1)).toHaveLength(3);
  });
});
