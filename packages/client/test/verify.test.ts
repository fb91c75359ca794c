import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { verify } from '../src/directory/verify.ts';
import {
  commitMonths,
  FEBRUARY,
  JANUARY,
  JSONL,
  openDirectory,
  readState,
} from './directory-scene.ts';
import { temporary } from './output-directory.ts';
import { catchFailure } from './scene.ts';
import { faultsIn, LINES, makeDirectory, OTHER_LINES } from './verify-scene.ts';

describe('a sound directory', () => {
  test.each(['jsonl', 'csv', 'parquet'] as const)('of %s has no faults', async (format) => {
    for (const gzip of [false, true]) {
      const out = await makeDirectory(format, gzip);
      const tables = { jsonl: 0, csv: 12, parquet: 2 };
      expect(await verify(out)).toMatchObject({
        complete: true,
        isSound: true,
        faults: [],
        checked: { files: 2 + tables[format], objects: 4 },
      });
      execFileSync('sha256sum', ['--check', '--strict', '--quiet', 'SHA256SUMS'], { cwd: out });
    }
  });

  test('may be a copy without the records of the pull', async () => {
    const out = await makeDirectory();
    rmSync(join(out, '.tillroll'), { recursive: true });
    expect(await faultsIn(out)).toEqual([]);
  });

  test('may hold what nobody takes for data', async () => {
    const out = await makeDirectory();
    writeFileSync(join(out, 'notes.txt'), 'mine');
    writeFileSync(join(out, '.DS_Store'), '');
    mkdirSync(join(out, 'lost+found'));
    mkdirSync(join(out, 'reports'));
    writeFileSync(join(out, 'reports', 'chart.png'), '');
    expect(await faultsIn(out)).toEqual([]);
  });
});

describe('one fault is one line', () => {
  test.each<[string, (out: string) => void, RegExp]>([
    [
      'altered, with the same length',
      (out) => {
        const text = readFileSync(join(out, LINES), 'utf8');
        writeFileSync(join(out, LINES), text.replace('"total":1000', '"total":9000'));
      },
      /^orders\/2026-01\.jsonl: was altered: its SHA-256 is [0-9a-f]{64}, not [0-9a-f]{64}$/,
    ],
    [
      'cut',
      (out) => truncateSync(join(out, LINES), 50),
      /^orders\/2026-01\.jsonl: was cut: it has 50 bytes, and the receipt says \d+$/,
    ],
    [
      'cut behind a line',
      (out) => truncateSync(join(out, LINES), readFileSync(join(out, LINES)).indexOf('\n') + 1),
      /^orders\/2026-01\.jsonl: was cut: /,
    ],
    [
      'emptied',
      (out) => truncateSync(join(out, LINES)),
      /^orders\/2026-01\.jsonl: was cut: it has 0 bytes/,
    ],
    [
      'extended',
      (out) => appendFileSync(join(out, LINES), '{"id":"X","createdTime":1}\n'),
      /^orders\/2026-01\.jsonl: was extended: /,
    ],
    ['missing', (out) => rmSync(join(out, LINES)), /^orders\/2026-01\.jsonl: is missing$/],
    [
      'renamed',
      (out) => renameSync(join(out, LINES), join(out, 'orders', 'january.jsonl')),
      /^orders\/2026-01\.jsonl: was renamed to orders\/january\.jsonl$/,
    ],
    [
      'swapped',
      (out) => {
        renameSync(join(out, LINES), join(out, 'x'));
        renameSync(join(out, OTHER_LINES), join(out, LINES));
        renameSync(join(out, 'x'), join(out, OTHER_LINES));
      },
      /^orders\/2026-0[12]\.jsonl: was swapped with orders\/2026-0[12]\.jsonl$/,
    ],
    [
      "another month's content",
      (out) => writeFileSync(join(out, LINES), readFileSync(join(out, OTHER_LINES))),
      /^orders\/2026-01\.jsonl: has the content of orders\/2026-02\.jsonl$/,
    ],
    [
      'a copy beside it',
      (out) => writeFileSync(join(out, 'orders', 'zcopy.jsonl'), readFileSync(join(out, LINES))),
      /^orders\/zcopy\.jsonl: is not in the receipt: a copy of orders\/2026-01\.jsonl$/,
    ],
    [
      'a file that nobody knows',
      (out) => writeFileSync(join(out, 'orders', 'zcopy.parquet'), 'x'),
      /^orders\/zcopy\.parquet: is not in the receipt$/,
    ],
    [
      'one in another folder',
      (out) => {
        mkdirSync(join(out, 'mine', 'deep'), { recursive: true });
        writeFileSync(join(out, 'mine', 'deep', 'orders.csv'), 'id\n');
      },
      /^mine\/deep\/orders\.csv: is not in the receipt$/,
    ],
    [
      'one at the top',
      (out) => writeFileSync(join(out, 'sales.duckdb'), 'x'),
      /^sales\.duckdb: is not in the receipt$/,
    ],
    [
      'a link in its place',
      (out) => {
        const elsewhere = join(temporary(), 'elsewhere.jsonl');
        renameSync(join(out, LINES), elsewhere);
        symlinkSync(elsewhere, join(out, LINES));
      },
      /^orders\/2026-01\.jsonl: is not a regular file: a link or another thing is in its place$/,
    ],
    [
      'a folder in its place',
      (out) => {
        rmSync(join(out, LINES));
        mkdirSync(join(out, LINES));
      },
      /^orders\/2026-01\.jsonl: is not a regular file: /,
    ],
    [
      'a link among the files',
      (out) => symlinkSync('2026-01.jsonl', join(out, 'orders', 'latest.jsonl')),
      /^orders\/latest\.jsonl: is not a regular file, and no pull made it$/,
    ],
    [
      'SHA256SUMS altered',
      (out) => appendFileSync(join(out, 'SHA256SUMS'), `${'0'.repeat(64)}  orders/x.jsonl\n`),
      /^SHA256SUMS: does not match receipt\.json: one of the two was altered$/,
    ],
    ['SHA256SUMS missing', (out) => rmSync(join(out, 'SHA256SUMS')), /^SHA256SUMS: is missing$/],
  ])('%s', async (_name, spoil, expected) => {
    const out = await makeDirectory();
    spoil(out);
    const faults = await faultsIn(out);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(expected);
  });

  test('of each of several files', async () => {
    const out = await makeDirectory('csv');
    rmSync(join(out, 'line_items/2026-01.csv'));
    appendFileSync(join(out, 'orders/2026-02.csv'), 'x');
    writeFileSync(join(out, 'orders/2026-03.csv'), 'x');
    expect((await faultsIn(out)).map((fault) => fault.replace(/: it has.*/, ''))).toEqual([
      'line_items/2026-01.csv: is missing',
      'orders/2026-02.csv: was extended',
      'orders/2026-03.csv: is not in the receipt',
    ]);
  });

  test('a whole folder that is a link', async () => {
    const out = await makeDirectory();
    const elsewhere = join(temporary(), 'orders');
    renameSync(join(out, 'orders'), elsewhere);
    symlinkSync(elsewhere, join(out, 'orders'));
    expect(await faultsIn(out)).toEqual(['orders: is not a regular file, and no pull made it']);
  });

  test('a name with control characters reaches no terminal as it is', async () => {
    const out = await makeDirectory();
    writeFileSync(join(out, 'orders', '\u001b[2J\u202egpj.\n\u0085.jsonl'), 'x');
    const [fault] = await faultsIn(out);
    // eslint-disable-next-line no-control-regex
    expect(fault).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
    expect(fault).toMatch(/is not in the receipt$/);
  });
});

describe('a directory that is not complete', () => {
  test('names what is missing, and is sound', async () => {
    const out = temporary();
    const directory = await openDirectory(out, JSONL);
    const reasons = new Map([['orders/2026-02', 'export E FAILED\u001b[31m']]);
    await commitMonths(directory, [JANUARY, FEBRUARY], reasons);
    await directory[Symbol.asyncDispose]();
    const { complete, isSound, faults } = await verify(out);
    expect({ complete, isSound }).toEqual({ complete: false, isSound: true });
    expect(faults).toEqual([
      {
        path: 'orders/2026-02',
        message: expect.stringMatching(/^is missing: export E FAILED.\[31m$/) as unknown,
      },
    ]);
    expect(faults[0]?.message).not.toContain('\u001b');
  });

  test('names what an interrupted pull was replacing', async () => {
    const out = await makeDirectory();
    const state = readState(out);
    state.pending = [{ staged: '1/lines', path: LINES }];
    writeFileSync(join(out, '.tillroll/state.json'), JSON.stringify(state));
    rmSync(join(out, LINES));
    const faults = await faultsIn(out);
    expect(faults).toEqual([
      '.tillroll/state.json: the last pull was interrupted while it replaced 1 file; run it again',
    ]);
  });

  test('where nothing was pulled: says what to do', async () => {
    expect((await catchFailure(verify(temporary()), 'DIRECTORY')).hint).toMatch(/pull/);
    expect((await catchFailure(verify('/no/such/directory'), 'DIRECTORY')).hint).toMatch(/pull/);
  });

  test('a signal ends it', async () => {
    const out = await makeDirectory();
    await catchFailure(verify(out, { signal: AbortSignal.abort() }), 'INTERRUPTED');
  });
});
