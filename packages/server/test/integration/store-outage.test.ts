import { mkdir, readFile, rename, rm, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DirectoryStorage } from '../../src/storage/directory.ts';
import { StoreCheck } from '../../src/store.ts';
import { Api } from './api.ts';
import { FROM, makePlace, type Place, TO } from './place.ts';
import { endChildren, startChild } from './process.ts';
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
  const store = new StoreCheck(hung, 'it', 0);
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
