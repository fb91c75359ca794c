import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createPool } from '../../src/database/pool.ts';
import { DirectoryStorage } from '../../src/storage/directory.ts';
import { bindStore } from '../../src/store.ts';
import { Api, download } from './api.ts';
import { FROM, makePlace, type Place, TO } from './place.ts';
import { command, endChildren, startChild } from './process.ts';
import { serveHere } from './service.ts';

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

/** Binds the store with its own connections, as a separate process does. */
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
