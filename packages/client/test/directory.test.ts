import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
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
  JSONL,
  openDirectory,
  readState,
  sale,
  stageMonth,
  takeMonths,
} from './directory-scene.ts';
import { filesBelow, headOf, temporary } from './output-directory.ts';

const JANUARY = ['ORDERS', '2026-01', [sale('A', '2026-01'), sale('B', '2026-01', 9)]] as const;
const FEBRUARY = ['ORDERS', '2026-02', [sale('C', '2026-02')]] as const;
const DIRECTORY_SCENE = new URL('../src/directory/directory.ts', import.meta.url).href;

function mode(path: string): string {
  return (statSync(path).mode & 0o777).toString(8);
}

/** The published files with their content. */
function publishedIn(out: string): Record<string, string> {
  const paths = filesBelow(out).filter((path) => !path.startsWith('.tillroll/'));
  return Object.fromEntries(paths.map((path) => [path, readFileSync(join(out, path), 'utf8')]));
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
    expect(await Directory.inspect(out)).toMatchObject(headOf({ format: 'csv', gzip: true }));
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

describe('a commit', () => {
  /** A directory whose two months are to be replaced, as it is when the pull is killed after the state was written. */
  async function killed(renamed: number): Promise<{ out: string; before: Record<string, string> }> {
    const out = temporary();
    const directory = await openDirectory(out);
    await commitMonths(directory, [JANUARY, FEBRUARY]);
    const before = publishedIn(out);
    const months = [
      await stageMonth(directory, 'ORDERS', '2026-02', []),
      await stageMonth(directory, 'ORDERS', '2026-01', [sale('C', '2026-01', 5, 7)]),
    ];
    const copy = temporary();
    const rename = months.flatMap(({ replaced }) => replaced);
    // The state and the staged files are those that a commit writes before it renames anything.
    cpSync(out, copy, { recursive: true });
    const state = readState(copy);
    takeMonths(months)(state);
    state.pending = rename.map(({ staged, path }) => ({
      staged: staged.slice(join(out, '.tillroll/staging/').length),
      path,
    }));
    writeFileSync(join(copy, '.tillroll/state.json'), JSON.stringify(state), { mode: 0o600 });
    rmSync(join(copy, '.tillroll/lock'));
    for (const { staged, path } of state.pending.slice(0, renamed))
      renameSync(join(copy, '.tillroll/staging', staged), join(copy, path));
    return { out: copy, before };
  }

  test.each([0, 1, 2, 3, 4])('is completed after a kill behind rename %i', async (renamed) => {
    const { out } = await killed(renamed);
    const { faults, isSound } = await verify(out);
    expect(isSound).toBe(false);
    expect(faults).toEqual([
      {
        path: '.tillroll/state.json',
        message: 'the last pull was interrupted while it replaced 2 files; run it again',
      },
    ]);
    const directory = await openDirectory(out);
    expect(directory.state.pending).toEqual([]);
    const { 'orders/2026-01.jsonl': january, 'orders/2026-02.jsonl': february } = publishedIn(out);
    expect(january).toContain('"total":7');
    expect(february).toBe('');
    expect(await directory.findDamaged()).toEqual([]);
    expect(readdirSync(join(out, '.tillroll/staging'))).toEqual([]);
  });

  test('that was not recorded leaves everything as it was, and nothing behind', async () => {
    const { out, before } = await killed(0);
    const state = readState(out);
    writeFileSync(
      join(out, '.tillroll/state.json'),
      JSON.stringify({ ...state, pending: [], types: state.types }),
    );
    writeFileSync(join(out, '.tillroll/state.json.0123'), '{"half');
    await openDirectory(out);
    expect(publishedIn(out)).toEqual(before);
    expect(readdirSync(join(out, '.tillroll')).toSorted()).toEqual(
      ['ids', 'lock', 'parts', 'staging', 'state.json'].toSorted(),
    );
    expect(readdirSync(join(out, '.tillroll/staging'))).toEqual([]);
  });

  test('passes sha256sum --check', async () => {
    for (const format of ['jsonl', 'csv', 'parquet', 'duckdb'] as const) {
      const out = temporary();
      await commitMonths(await openDirectory(out, { format, gzip: true }), [JANUARY, FEBRUARY]);
      const said = execFileSync('sha256sum', ['--check', '--strict', 'SHA256SUMS'], { cwd: out });
      expect(String(said)).toContain('receipt.json: OK');
      expect(await verify(out)).toMatchObject({ complete: true, isSound: true, faults: [] });
    }
  });

  test('on a disk that fills keeps the old state whole', () => {
    const out = temporary();
    const program = `
      const { Directory } = await import(${JSON.stringify(DIRECTORY_SCENE)});
      const signal = new AbortController().signal;
      process.on('SIGXFSZ', () => undefined);
      const directory = await Directory.open(${JSON.stringify(out)}, ${JSON.stringify(headOf(JSONL))}, { signal });
      const fill = (count) => directory.update((draft) => {
        const exports = Array.from({ length: count }, (_, i) => ({ startTime: i, endTime: i + 1, id: 'EXPORT' + i }));
        draft.types.ORDERS = { wanted: { startTime: 0, endTime: 9 }, refreshFrom: null, months: {}, exports };
      });
      await fill(3);
      for (const count of [50, 200, 1000]) await fill(count).then(() => console.log('written'), (error) => console.log(error.code));
      console.log(directory.state.types.ORDERS.exports.length);`;
    // Files may grow to 2 blocks of 1024 bytes.
    const said = execFileSync(
      'bash',
      ['-c', 'ulimit -f 2; exec "$0" --input-type=module -e "$1"', process.execPath, program],
      { encoding: 'utf8' },
    );
    expect(said.trim().split('\n')).toEqual(['EFBIG', 'EFBIG', 'EFBIG', '3']);
    expect(readState(out).types.ORDERS?.exports).toHaveLength(3);
  });
});
