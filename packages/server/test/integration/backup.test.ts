/** `tillroll-server backup` and `restore`: what was saved comes back, of one moment, and works again. */

import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { SAVED_TABLES, UNSAVED_TABLES } from '../../src/backup/tables.ts';
import { parsePieceName, readArchive } from '../../src/backup/archive.ts';
import { Api, download, parseIds } from './api.ts';
import { readContents, restoreInto, takeBackup } from './backup-scene.ts';
import { FROM, makePlace, TO, type Place } from './place.ts';
import { BIN, command, endChildren } from './process.ts';
import { serveHere } from './service.ts';
import { heldBy, HookedStorage } from './storages.ts';
import { gate, until } from './until.ts';

let place: Place;
let target: Place;
let directory: string;

beforeEach(async () => {
  [place, target] = await Promise.all([makePlace(), makePlace()]);
  directory = await mkdtemp(join(tmpdir(), 'tillroll-backup-'));
});

afterEach(async () => {
  await place.remove();
  await target.remove();
  await rm(directory, { recursive: true, force: true });
});

afterAll(endChildren);

/** The settings of a service over the other database and the store of the first. */
function onStoreOfPlace(): Record<string, string> {
  return { TILLROLL_STORAGE_URL: `file://${join(place.dataDir, 'files')}` };
}

/** Runs a service over the place until `run` ends. */
async function serving<T>(run: (api: Api) => Promise<T>): Promise<T> {
  const service = await serveHere(place, {});
  try {
    return await run(new Api(service.url, 'M1', await place.install('M1')));
  } finally {
    await service.stop();
  }
}

/** The same signed path on another service. */
function at(base: string, url: string): string {
  const { pathname, search } = new URL(url);
  return `${base}${pathname}${search}`;
}

test('every table of the schema is saved, or is known not to be', async () => {
  const { rows } = await place.pool.query<{ name: string }>(
    `SELECT relname AS name FROM pg_class
     WHERE relnamespace = 'tillroll'::regnamespace AND relkind IN ('r', 'p') ORDER BY 1`,
  );
  const known = [...SAVED_TABLES, ...Object.keys(UNSAVED_TABLES)];
  expect(rows.map(({ name }) => name)).toEqual(known.toSorted());
});

test('a file: every row comes back, through the commands; a link of before downloads', async () => {
  await place.seed('M1', 3500);
  await place.load('M1', '{"id":"odd","createdTime":1,"note":"tab\\t \\\\ \\u2028 é 😀 \\\\N"}');
  const done = await serving((api) => api.export(FROM, TO));
  const [url = ''] = done.exportUrls?.elements.map((element) => element.url) ?? [];
  const [first = ''] = await place.files();
  const bytes = await readFile(join(place.dataDir, 'files', first));

  const file = join(directory, 'shop.backup');
  await writeFile(file, 'an older backup, which is replaced');
  const said = await command(['backup', file], place.environment());
  expect(said).toMatch(
    /^[\d,]+ rows of 13 tables as of \d{4}-.*Z, [\d.]+ [KM]iB: \/.*shop\.backup$/,
  );
  expect(await readdir(directory)).toEqual(['shop.backup']);
  expect((await stat(file)).mode & 0o077).toBe(0);
  const before = await readContents(place);

  const restored = await command(['restore', file], target.environment(onStoreOfPlace()));
  expect(restored).toMatch(
    /0 open exports will start again\nthe files of all finished exports are in/,
  );
  expect(await readContents(target)).toEqual(before);

  const service = await serveHere(target, {}, onStoreOfPlace());
  try {
    const again = await fetch(at(service.url, url), { headers: { 'accept-encoding': 'gzip' } });
    expect(again.status).toBe(200);
    expect(Number(again.headers.get('content-length'))).toBe(bytes.length);
    // New exports stand after the old ones in the list: the sequence goes on.
    const token = await target.install('M1');
    const next = await new Api(service.url, 'M1', token).export(FROM, TO);
    expect(parseIds(await download(next))).toHaveLength(3500);
    const { rows } = await target.pool.query<{ id: string }>(
      'SELECT id FROM tillroll.exports ORDER BY sequence',
    );
    expect(rows.map(({ id }) => id)).toEqual([done.id, next.id]);
  } finally {
    await service.stop();
  }
});

test('a pipe: backup to stdout, restore from stdin', async () => {
  await place.seed('M1', 1200);
  const child = (args: string[], environment: Record<string, string>) =>
    spawn(process.execPath, [BIN, ...args, '-'], {
      env: { PATH: process.env['PATH'], ...environment },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
  const from = child(['backup'], place.environment());
  const to = child(['restore'], target.environment());
  from.stdout.pipe(to.stdin);
  const code = (process: typeof from): Promise<number | null> =>
    new Promise((resolve) => {
      process.once('close', resolve);
    });
  to.stdout.resume();
  expect(await Promise.all([code(from), code(to)])).toEqual([0, 0]);
  expect(await readContents(target)).toEqual(await readContents(place));
});

/** The versions of M2's orders and payments in a backup. */
async function readVersions(backup: Buffer): Promise<Record<'orders' | 'payments', Set<number>>> {
  const versions = { orders: new Set<number>(), payments: new Set<number>() };
  for await (const { name, bytes } of readArchive(
    Readable.from([backup]),
    new AbortController().signal,
  )) {
    const table = parsePieceName(name)?.table;
    if (table !== 'orders' && table !== 'payments') continue;
    for (const [, version] of bytes
      .toString()
      .matchAll(/"modifiedTime":([0-9]+),"(?:total|amount)":\1}/g))
      versions[table].add(Number(version));
  }
  return versions;
}

function expectOneMoment({ orders, payments }: Record<'orders' | 'payments', Set<number>>): void {
  expect([orders.size, payments.size]).toEqual([1, 1]);
  const [order = 0] = orders;
  const [payment = 0] = payments;
  expect([order, order - 1]).toContain(payment);
}

test('during loads and exports: one moment, and exports that were open end elsewhere', async () => {
  await place.seed('M1', 6000);
  const versions = 40;
  const body = (version: number, amount: 'total' | 'amount'): string =>
    Array.from(
      { length: 300 },
      (_, i) =>
        `{"id":"v${i}","createdTime":${FROM + i},"modifiedTime":${version},"${amount}":${version}}`,
    ).join('\n');
  // Payments always follow their orders, and so they do in a backup, whichever of the tables it reads first.
  const loadVersion = async (version: number): Promise<void> => {
    await place.load('M2', body(version, 'total'));
    await place.load('M2', body(version, 'amount'), 'PAYMENTS');
  };
  await loadVersion(1);

  const opened = gate();
  const storage = new HookedStorage(place, async (key, signal) => {
    if (key.endsWith('/000003.json.gz')) await heldBy(opened.opened, signal);
  });
  const service = await serveHere(place, {}, {}, { storage });
  let backup: Buffer;
  let finished: string;
  let running: string;
  let waiting: string;
  try {
    const api = new Api(service.url, 'M1', await place.install('M1'));
    const other = new Api(service.url, 'M2', await place.install('M2'));
    finished = (await other.export(FROM, TO)).id;
    running = (await api.create(FROM, TO)).id;
    await until('it runs', async () => (await place.files()).some((f) => f.startsWith(running)));
    waiting = (await other.create(FROM, TO)).id;

    // Sets what reading from a standby leaves behind.
    await place.pool.query("UPDATE tillroll.exports SET wal_position = 'F/0'");
    const backups: Buffer[] = [];
    const loads = (async () => {
      for (let version = 2; version <= versions; version++) await loadVersion(version);
    })();
    // Several, so that some of them fall into the middle of the loads.
    for (let i = 0; i < 6; i++) backups.push(await takeBackup(place));
    await loads;
    for (const each of backups) expectOneMoment(await readVersions(each));
    backup = backups[2] ?? Buffer.alloc(0);
  } finally {
    await service.stop();
  }

  const { released } = await restoreInto(target, backup);
  expect(released).toBe(2);
  // A position in the write-ahead log of another server would be waited for in vain.
  const positions = await target.pool.query('SELECT DISTINCT wal_position FROM tillroll.exports');
  expect(positions.rows).toEqual([{ wal_position: null }]);

  const again = await serveHere(target, {}, onStoreOfPlace());
  try {
    const api = new Api(again.url, 'M1', await target.install('M1'));
    const other = new Api(again.url, 'M2', await target.install('M2'));
    const done = await api.ended(running);
    expect(done.status).toBe('DONE');
    expect(new Set(parseIds(await download(done))).size).toBe(6000);
    expect((await other.ended(waiting)).status).toBe('DONE');
    expect((await other.read(finished)).status).toBe('DONE');
    expect(await target.row(running)).toMatchObject({ errors: 0, interruptions: 0 });
    // No attempt of before the backup's loss can have had the same place in the store.
    expect((await target.row(running)).attempt).toBeGreaterThan(28);
    await until('no file is left that no export has', async () =>
      (await place.files()).every((f) => !f.startsWith(`${running}/1/`)),
    );
  } finally {
    await again.stop();
  }
});

test('exports whose files are not in the store read as expired; others are expired in time', async () => {
  await place.seed('M1', 1200);
  await place.load('M2', '{"id":"x","createdTime":1}');
  const [lost, kept, empty] = await serving(async (api) => [
    (await api.export(FROM, TO)).id,
    (await api.export(FROM, TO)).id,
    // Without objects it has no files, and misses none.
    (await api.export(TO, TO + 1000)).id,
  ]);
  const file = join(directory, 'b');
  await command(['backup', file], place.environment());
  await rm(join(place.dataDir, 'files', lost ?? ''), { recursive: true });
  const said = await command(['restore', file], target.environment(onStoreOfPlace()));
  expect(said).toContain('1 finished export read as expired: the files are not in the store');
  expect(await target.row(lost ?? '')).toMatchObject({ status: 'DONE', filesDeleted: true });
  expect(await target.row(kept ?? '')).toMatchObject({ status: 'DONE', filesDeleted: false });
  expect(await target.row(empty ?? '')).toMatchObject({ status: 'DONE', filesDeleted: false });

  // The queue was not saved: a sweep finds what is overdue.
  await target.pool.query(
    'UPDATE tillroll.exports SET available_until = tillroll.now_ms() - 1 WHERE id = $1',
    [kept],
  );
  const service = await serveHere(target, {}, onStoreOfPlace());
  try {
    await until(
      'its files are gone',
      async () => (await target.row(kept ?? '')).filesDeleted && (await place.files()).length === 0,
    );
  } finally {
    await service.stop();
  }
});

test('another store: restore says so, and the service refuses it until it is given up', async () => {
  await place.seed('M1', 10);
  const { id } = await serving((api) => api.export(FROM, TO));
  const file = join(directory, 'b');
  await command(['backup', file], place.environment());
  expect(await command(['restore', file], target.environment())).toContain(
    'the files were not compared:',
  );
  await expect(serveHere(target, {})).rejects.toThrow(/is not the store of this database/);
  await command(['migrate', '--new-store'], target.environment());
  const service = await serveHere(target, {});
  await service.stop();
  expect(await target.row(id)).toMatchObject({ status: 'DONE', filesDeleted: true });
});

test('a view in place of a table is not saved, and the backup says so', async () => {
  await place.seed('M1', 10);
  await place.pool.query(`
    ALTER TABLE tillroll.orders RENAME TO orders_unused;
    CREATE VIEW tillroll.orders AS SELECT * FROM tillroll.orders_unused`);
  const file = join(directory, 'b');
  expect(await command(['backup', file], place.environment())).toContain(
    'without the rows of orders, which is a view',
  );
  await command(['restore', file], target.environment());
  const { rows } = await target.pool.query('SELECT FROM tillroll.orders');
  expect(rows).toHaveLength(0);
});
