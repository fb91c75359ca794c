import { mkdir, readFile, rename, rm, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createPool } from '../../src/database/pool.ts';
import { DirectoryStorage } from '../../src/storage/directory.ts';
import { bindStore, StoreCheck } from '../../src/store.ts';
import { Api, download } from './api.ts';
import { FROM, makePlace, TO, type Place } from './place.ts';
import { command, endChildren, startChild } from './process.ts';
import { serveHere } from './service.ts';
import { until } from './until.ts';

let place: Place;
const stops: (() => Promise<void>)[] = [];

beforeEach(async () => {
  place = await makePlace();
});
afterEach(async () => {
  for (const stop of stops.splice(0).toReversed()) await stop();
  await place.remove();
});
afterAll(endChildren);

function directory(name: string): string {
  return join(place.dataDir, name);
}

function storageAt(name: string): DirectoryStorage {
  return new DirectoryStorage(directory(name));
}

function bind(name: string): Promise<string> {
  return bindStore(place.pool, storageAt(name));
}

/** As a process does it: with connections of its own. */
async function bindApart(name: string): Promise<string> {
  const pool = createPool({ connectionString: place.databaseUrl }, 2, () => undefined);
  try {
    return await bindStore(pool, storageAt(name));
  } finally {
    await pool.end();
  }
}

async function storeRow(): Promise<{ id: string; bound: boolean } | undefined> {
  const { rows } = await place.pool.query<{ id: string; bound: boolean }>(
    'SELECT id, bound FROM tillroll.store',
  );
  return rows[0];
}

async function serve(
  roles: { serve?: boolean; work?: boolean } = {},
  more: Record<string, string> = {},
): Promise<{ url: string; stop: () => Promise<void> }> {
  const service = await serveHere(place, roles, more, { retryDelayMs: () => 60_000 });
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopped ??= service.stop());
  stops.push(stop);
  return { url: service.url, stop };
}

describe('the first start', () => {
  test('gives store and database the same id; the next ones find it', async () => {
    const id = await bind('files');
    expect(await storageAt('files').readIdentity()).toBe(id);
    expect(await storeRow()).toEqual({ id, bound: true });
    expect(await bind('files')).toBe(id);
  });

  test('of many processes at once on one directory: all get one id', async () => {
    const ids = await Promise.all(Array.from({ length: 12 }, () => bindApart('files')));
    expect(new Set(ids).size).toBe(1);
    expect(await storageAt('files').readIdentity()).toBe(ids[0]);
  });

  test('of many processes at once on two directories: one directory wins, the other is refused', async () => {
    const names = Array.from({ length: 12 }, (_, i) => (i % 2 === 0 ? 'even' : 'odd'));
    const outcomes = await Promise.allSettled(names.map((name) => bindApart(name)));
    const winners = new Set(names.filter((_, i) => outcomes[i]?.status === 'fulfilled'));
    expect(winners.size).toBe(1);
    const [winner = ''] = winners;
    for (const [i, outcome] of outcomes.entries()) {
      expect(outcome.status).toBe(names[i] === winner ? 'fulfilled' : 'rejected');
    }
    // The refused one was not touched.
    expect(await storageAt(winner === 'even' ? 'odd' : 'even').readIdentity()).toBeNull();
  });

  test('that dies after it wrote the file is finished by the next one', async () => {
    await place.pool.query("INSERT INTO tillroll.store (id, bound) VALUES ('half', false)");
    await storageAt('files').createIdentity('half');
    expect(await bind('files')).toBe('half');
    expect(await storeRow()).toEqual({ id: 'half', bound: true });
  });

  test('that dies after it wrote the file leaves no second directory that fits', async () => {
    await place.pool.query("INSERT INTO tillroll.store (id, bound) VALUES ('half', false)");
    await storageAt('files').createIdentity('half');
    await bind('other');
    await expect(bind('files')).rejects.toThrow(/store of another database/);
  });

  test('does not take the store of another database', async () => {
    const other = await makePlace();
    try {
      await bindStore(other.pool, storageAt('files'));
      await expect(bind('files')).rejects.toThrow(
        new RegExp(`^${directory('files')} belongs to another database`),
      );
      expect(await storeRow()).toBeUndefined();
    } finally {
      await other.remove();
    }
  });
});

describe('a later start', () => {
  test('on another directory is refused in one line that says what to do', async () => {
    const first = await startChild('serve', place.environment());
    const elsewhere = directory('elsewhere');
    for (const prepare of [
      () => mkdir(elsewhere),
      () => storageAt('elsewhere').createIdentity('x'),
    ]) {
      await prepare();
      const refused = await startChild(
        'work',
        place.environment({
          TILLROLL_STORAGE_URL: `file://${elsewhere}`,
          TILLROLL_LOG_LEVEL: 'fatal',
        }),
      ).then(
        () => 'it started',
        (error: unknown) => String(error),
      );
      expect(refused).toContain(`tillroll-server: ${elsewhere} is `);
      expect(refused).toMatch(/TILLROLL_STORAGE_URL.*migrate --new-store/);
      expect(refused.trim().split('\n')).toHaveLength(1);
    }
    first.kill('SIGTERM');
    expect(await first.exited).toBe(0);
  });

  test('on the directory after it was moved, with its file, is fine', async () => {
    const id = await bind('files');
    await rename(directory('files'), directory('moved'));
    await expect(bind('files')).rejects.toThrow(/tillroll-store.json is missing/);
    expect(await bind('moved')).toBe(id);
  });

  test('purge on another directory deletes nothing', async () => {
    await place.seed('M1', 5);
    await bind('files');
    await mkdir(directory('elsewhere'));
    const purge = command(
      ['purge', '--merchant', 'M1'],
      place.environment({ TILLROLL_STORAGE_URL: `file://${directory('elsewhere')}` }),
    );
    await expect(purge).rejects.toThrow(/elsewhere is not the store of this database/);
    const { rows } = await place.pool.query('SELECT FROM tillroll.orders');
    expect(rows).toHaveLength(5);
  });

  test('migrate --new-store begins an empty store, and says that old files are gone', async () => {
    await place.seed('M1', 10);
    const first = await serve();
    const api = new Api(first.url, 'M1', await place.install('M1'));
    const done = await api.export(FROM, TO);
    await first.stop();
    await rm(directory('files'), { recursive: true });

    const said = await command(['migrate', '--new-store'], place.environment());
    expect(said).toMatch(/next start.*1 finished export has no files/);

    const second = await serve();
    const again = new Api(second.url, 'M1', await place.install('M1'));
    expect(await again.read(done.id)).not.toHaveProperty('exportUrls');
    expect(
      (await fetch(done.exportUrls?.elements[0]?.url.replace(first.url, second.url) ?? '')).status,
    ).toBe(410);
    expect(await download(await again.export(FROM, TO))).toHaveLength(1);
  });
});

describe('a store that goes away while the service runs', () => {
  test.for(['emptied', 'swapped', 'gone'])('%s: /ready says no, and again yes', async (how) => {
    const { url } = await serve({ work: false });
    const ready = async (): Promise<number> => (await fetch(`${url}/ready`)).status;
    expect(await ready()).toBe(200);
    await rename(directory('files'), directory('away'));
    if (how !== 'gone') await mkdir(directory('files'));
    if (how === 'swapped') await storageAt('files').createIdentity('other');
    // Looked at every ten seconds.
    const patience = { timeoutMs: 40_000 };
    await until('it is not ready', async () => (await ready()) === 503, patience);
    await rm(directory('files'), { recursive: true, force: true });
    await rename(directory('away'), directory('files'));
    await until('it is ready', async () => (await ready()) === 200, patience);
  });

  test('an export is not DONE without the store, and its files are written nowhere else', async () => {
    await place.seed('M1', 10);
    const { url } = await serve();
    const api = new Api(url, 'M1', await place.install('M1'));
    await rename(directory('files'), directory('away'));
    await mkdir(directory('files'));
    const { id } = await api.create(FROM, TO);
    await until('it failed once', async () => (await place.row(id)).errors === 1);
    expect(await place.row(id)).toMatchObject({ status: 'PENDING', interruptions: 0 });
    expect(await place.files()).toEqual([]);
  });

  test('a sweep and an expiry leave files alone that are not of this database', async () => {
    await place.seed('M1', 10);
    const { url } = await serve({ work: false });
    const api = new Api(url, 'M1', await place.install('M1'));
    const worker = await serve({ serve: false }, { TILLROLL_RETENTION: '2s' });
    const { id } = await api.export(FROM, TO);
    await rename(directory('files'), directory('away'));
    await storageAt('files').createIdentity('other');
    await mkdir(directory('files/0123456789ABC/1'), { recursive: true });
    await writeFile(directory('files/0123456789ABC/1/000000.json.gz'), 'of the other database');
    // Its time comes, and its job fails; then a sweep, at a start, could not even begin.
    await until('the expiry was tried', async () => {
      const { rows } = await place.pool.query<{ output: unknown }>(
        `SELECT output FROM tillroll_queue.job WHERE name = 'expire-export' AND state = 'retry'`,
      );
      return JSON.stringify(rows).includes('another database');
    });
    await worker.stop();
    expect(await place.row(id)).toMatchObject({ filesDeleted: false });
    expect(await place.files()).toEqual(['0123456789ABC/1/000000.json.gz']);
  });
});

test('a file that is missing before its time is 503 and an error in the log; 410 is for expired ones', async () => {
  await place.seed('M1', 1200);
  const child = await startChild('all', place.environment());
  const api = new Api(child.url, 'M1', await place.install('M1'));
  const done = await api.export(FROM, TO);
  const [first = '', second = ''] = (await place.files()).map((file) => directory(`files/${file}`));
  const [url = '', otherUrl = ''] = done.exportUrls?.elements.map((element) => element.url) ?? [];
  const content = await readFile(first);
  await unlink(first);
  for (const encoding of ['gzip', 'identity']) {
    const lost = await fetch(url, { headers: { 'accept-encoding': encoding } });
    expect(lost.status).toBe(503);
    expect(lost.headers.get('retry-after')).toBe('60');
    expect(await lost.json()).toEqual({
      message: '503 Service Unavailable',
      details: expect.stringMatching(/missing from the store.*has not expired/),
    });
  }
  const line = child
    .log()
    .split('\n')
    .find((text) => text.includes('before the end of its'));
  expect(JSON.parse(line ?? '{}')).toMatchObject({
    level: 'error',
    error: expect.stringContaining(`${directory('files')}: no file ${done.id}/1/000000.json.gz`),
  });
  expect(line).not.toContain('stack');
  // Restored, it is there again.
  await writeFile(first, content);
  expect((await fetch(url)).status).toBe(200);
  expect((await fetch(otherUrl)).status).toBe(200);

  // Another copy of the record may still say that it is available when the files go.
  await unlink(second);
  await place.pool.query(
    'UPDATE tillroll.exports SET available_until = tillroll.now_ms() - 1 WHERE id = $1',
    [done.id],
  );
  expect((await fetch(otherUrl)).status).toBe(410);
  child.kill('SIGTERM');
  expect(await child.exited).toBe(0);
});

test('a store that hangs: the check ends in time, and asks once and not again and again', async () => {
  const storage = storageAt('files');
  await storage.createIdentity('it');
  let asked = 0;
  const { promise: hanging, resolve: answer } = Promise.withResolvers<string>();
  const hung = Object.assign(Object.create(storage) as DirectoryStorage, {
    location: storage.location,
    readIdentity: () => {
      asked++;
      return hanging;
    },
    check: () => Promise.resolve(),
  });
  const store = new StoreCheck(hung, 'it');
  await Promise.all(
    Array.from({ length: 3 }, () => expect(store.check()).rejects.toThrow(/did not answer within/)),
  );
  expect(asked).toBe(1);
  answer('it');
  await until('it is well again', () =>
    store.check().then(
      () => true,
      () => false,
    ),
  );
});
