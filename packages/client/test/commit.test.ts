import { execFileSync } from 'node:child_process';
import { cpSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { verify } from '../src/directory/verify.ts';
import {
  commitMonths,
  JSONL,
  openDirectory,
  readState,
  sale,
  stageMonth,
  takeMonths,
  FEBRUARY,
  JANUARY,
  publishedIn,
} from './directory-scene.ts';
import { makeHead, temporary } from './output-directory.ts';

const DIRECTORY_SCENE = new URL('../src/directory/directory.ts', import.meta.url).href;

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
      const directory = await Directory.open(${JSON.stringify(out)}, ${JSON.stringify(makeHead(JSONL))}, { signal });
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
