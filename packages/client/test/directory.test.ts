import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Directory } from '../src/directory/directory.ts';
import { verify } from '../src/directory/verify.ts';
import {
  commitMonths,
  openDirectory,
  readState,
  sale,
  FEBRUARY,
  JANUARY,
  publishedIn,
} from './directory-scene.ts';
import { makeHead, temporary } from './output-directory.ts';

function mode(path: string): string {
  return (statSync(path).mode & 0o777).toString(8);
}

describe('a directory', () => {
  test('must be new, empty or known', async () => {
    const out = temporary();
    const deep = join(out, 'deep', 'new');
    await (await openDirectory(deep))[Symbol.asyncDispose]();
    expect(existsSync(join(deep, '.tillroll', 'state.json'))).toBe(true);
    await (await openDirectory(deep))[Symbol.asyncDispose]();
    writeFileSync(join(out, 'photo.jpg'), '');
    await expect(openDirectory(out)).rejects.toMatchObject({
      code: 'DIRECTORY',
      message: `${out} holds other things: deep, photo.jpg`,
    });
    await expect(openDirectory(join(out, 'photo.jpg'))).rejects.toMatchObject({
      code: 'DIRECTORY',
      message: `${join(out, 'photo.jpg')} is a file, not a directory`,
    });
    expect(existsSync(join(out, '.tillroll'))).toBe(false);
  });

  test('may be the root of a volume', async () => {
    const out = temporary();
    for (const name of ['lost+found', '.Trash-0', 'System Volume Information', '$RECYCLE.BIN'])
      mkdirSync(join(out, name));
    await commitMonths(await openDirectory(out), [JANUARY]);
    expect(await verify(out)).toMatchObject({ complete: true, faults: [] });
  });

  test('says what it is without a lease, and nothing where no pull was', async () => {
    const out = temporary();
    expect(await Directory.inspect(out)).toBeUndefined();
    expect(await Directory.inspect(join(out, 'nowhere'))).toBeUndefined();
    const directory = await openDirectory(out, { format: 'csv', gzip: true });
    await commitMonths(directory, [JANUARY]);
    expect(await Directory.inspect(out)).toMatchObject(makeHead({ format: 'csv', gzip: true }));
    expect(await Directory.inspect(out)).toEqual(directory.state);
  });

  test.each(['.tillroll/state.jsonl', '.tillroll/state.json'])(
    'of another version is refused: %s',
    async (path) => {
      const out = temporary();
      mkdirSync(join(out, '.tillroll'), { mode: 0o700 });
      writeFileSync(join(out, path), '{"is":"directory","version":99}\n', { mode: 0o600 });
      const refused = {
        code: 'DIRECTORY',
        message: `${out} was written by another version of Tillroll`,
        hint: 'Pull into a new directory',
      };
      await expect(Directory.inspect(out)).rejects.toMatchObject(refused);
      await expect(openDirectory(out)).rejects.toMatchObject(refused);
    },
  );

  test.each([0o022, 0o000, 0o077])('has exact modes under umask %o', async (mask) => {
    const before = process.umask(mask);
    try {
      const out = join(temporary(), 'sales');
      const directory = await openDirectory(out, { format: 'csv', gzip: false, fileMode: 0o640 });
      await commitMonths(directory, [JANUARY]);
      for (const folder of ['', 'orders', 'line_items'])
        expect(mode(join(out, folder)), folder).toBe('750');
      for (const file of ['orders/2026-01.csv', 'receipt.json', 'SHA256SUMS'])
        expect(mode(join(out, file)), file).toBe('640');
      for (const folder of ['', 'parts', 'objects', 'objects/orders', 'ids', 'staging'])
        expect(mode(join(out, '.tillroll', folder)), folder).toBe('700');
      for (const file of [
        'state.json',
        'lock',
        'objects/orders/2026-01.jsonl',
        'ids/orders/2026-01.ids',
      ])
        expect(mode(join(out, '.tillroll', file)), file).toBe('600');
    } finally {
      process.umask(before);
    }
  });

  test('leaves the modes of what it did not make', async () => {
    const out = temporary();
    chmodSync(out, 0o755);
    mkdirSync(join(out, '.tillroll'), { mode: 0o755 });
    await commitMonths(await openDirectory(out), [JANUARY]);
    expect(mode(out)).toBe('755');
    expect(mode(join(out, 'orders'))).toBe('700');
  });

  test('never replaces a file that no pull made', async () => {
    const out = temporary();
    const directory = await openDirectory(out);
    await commitMonths(directory, [JANUARY]);
    writeFileSync(join(out, 'orders/2026-02.jsonl'), 'mine');
    const before = publishedIn(out);
    await expect(commitMonths(directory, [FEBRUARY])).rejects.toMatchObject({
      code: 'DIRECTORY',
      message: `${join(out, 'orders/2026-02.jsonl')} was not made by a pull`,
      hint: 'Move it away, then run the pull again',
    });
    expect(publishedIn(out)).toEqual(before);
    rmSync(join(out, 'orders/2026-02.jsonl'));
    expect((await commitMonths(directory, [FEBRUARY])).complete).toBe(true);
    expect((await commitMonths(directory, [FEBRUARY])).complete).toBe(true);
  });

  test('does not put a new database beside the changes of an old one', async () => {
    const out = temporary();
    const directory = await openDirectory(out, { format: 'duckdb', gzip: false });
    await commitMonths(directory, [JANUARY]);
    writeFileSync(join(out, 'sales.duckdb.wal'), '');
    await expect(commitMonths(directory, [FEBRUARY])).rejects.toMatchObject({ code: 'DIRECTORY' });
    rmSync(join(out, 'sales.duckdb.wal'));
    await commitMonths(directory, [FEBRUARY]);
  });

  test('removes the files of a month that is no longer in the state, and no others', async () => {
    const out = temporary();
    const directory = await openDirectory(out);
    await commitMonths(directory, [JANUARY, FEBRUARY]);
    writeFileSync(join(out, 'orders/mine.jsonl'), 'mine');
    await directory.commit(
      (draft) => void delete draft.types.ORDERS?.months['2026-01'],
      [],
      new Map(),
    );
    expect(readdirSync(join(out, 'orders'))).toEqual(['2026-02.jsonl', 'mine.jsonl']);
    expect(directory.state).toMatchObject({ obsolete: [], pending: [] });
    expect(directory.state.made).toEqual(['SHA256SUMS', 'orders/2026-02.jsonl', 'receipt.json']);
  });

  test('finds what was removed or cut off', async () => {
    const out = temporary();
    const directory = await openDirectory(out, { format: 'parquet', gzip: true });
    await commitMonths(directory, [JANUARY, FEBRUARY]);
    expect(await directory.findDamaged()).toEqual([]);
    rmSync(join(out, directory.linesPath('ORDERS', '2026-01')));
    writeFileSync(join(out, 'orders/2026-02.parquet'), '');
    rmSync(join(out, '.tillroll/ids/orders/2026-02.ids'));
    expect(await directory.findDamaged()).toEqual([
      {
        type: 'ORDERS',
        month: '2026-01',
        path: '.tillroll/objects/orders/2026-01.jsonl.gz',
        isLines: true,
      },
      {
        type: 'ORDERS',
        month: '2026-02',
        path: '.tillroll/ids/orders/2026-02.ids',
        isLines: false,
      },
      { type: 'ORDERS', month: '2026-02', path: 'orders/2026-02.parquet', isLines: false },
    ]);
  });

  test('keeps the parts that are needed, and no others', async () => {
    const out = temporary();
    const directory = await openDirectory(out);
    for (const id of ['AAA', 'BBB']) {
      mkdirSync(directory.partsFolder(id));
      writeFileSync(join(directory.partsFolder(id), '0000.json'), '');
    }
    await directory.sweepParts(new Set(['BBB']));
    expect(readdirSync(join(out, '.tillroll/parts'))).toEqual(['BBB']);
  });

  test('takes changes of several months one after the other', async () => {
    const out = temporary();
    const directory = await openDirectory(out);
    const months = Array.from({ length: 12 }, (_, i) => `2025-${String(i + 1).padStart(2, '0')}`);
    await Promise.all(
      months.map(async (month) => {
        await directory.update(
          (draft) => void (draft.tablesVersion = (draft.tablesVersion ?? 0) + 1),
        );
        await commitMonths(directory, [['ORDERS', month, [sale(month, month)]]]);
      }),
    );
    expect(directory.state.tablesVersion).toBe(12);
    expect(await verify(out)).toMatchObject({
      complete: true,
      faults: [],
      checked: { objects: 12 },
    });
    expect(readState(out)).toEqual(directory.state);
  });
});
