import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Api, download, type Exported } from './api.ts';
import { FROM, makePlace, TO, type Place } from './place.ts';
import { command, endChildren } from './process.ts';
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

/** Starts roles here; the test's end stops them, if it has not. */
async function start(
  roles: { serve?: boolean; work?: boolean },
  more: Record<string, string> = {},
): Promise<{ url: string; stop: () => Promise<void> }> {
  const service = await serveHere(place, roles, more);
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopped ??= service.stop());
  stops.push(stop);
  return { url: service.url, stop };
}

async function connectApi(url: string, merchant = 'M1', app = 'app'): Promise<Api> {
  return new Api(url, merchant, await place.install(merchant, app));
}

function listUrls(exported: Exported): string[] {
  return exported.exportUrls?.elements.map(({ url }) => url) ?? [];
}

async function statuses(urls: readonly string[]): Promise<number[]> {
  const answers: number[] = [];
  for (const url of urls) {
    const response = await fetch(url);
    await response.arrayBuffer();
    answers.push(response.status);
  }
  return answers;
}

function pastExpiry(api: Api, id: string): Promise<Exported> {
  return until('the export has expired', async () => {
    const answer = await api.read(id);
    return answer.exportUrls === undefined && answer;
  });
}

const SHORT = { TILLROLL_RETENTION: '3s' };

describe('expiry', () => {
  test('afterwards the record stays, the URLs are 410 and the files are gone', async () => {
    await place.seed('M1', 1200);
    const { url } = await start({}, SHORT);
    const api = await connectApi(url);
    const before = Date.now();
    const done = await api.export(FROM, TO);
    const ends = done.availableUntil ?? 0;
    expect(ends).toBeGreaterThanOrEqual(before + 3000);
    expect(ends).toBeLessThanOrEqual(Date.now() + 3000);
    const urls = listUrls(done);
    expect(await statuses(urls)).toEqual([200, 200]);
    expect(await place.files()).toHaveLength(2);

    const expired = await pastExpiry(api, done.id);

    expect(Date.now()).toBeGreaterThanOrEqual(ends);
    const { exportUrls: _gone, ...kept } = done;
    expect(expired).toEqual(kept);
    expect(await statuses(urls)).toEqual([410, 410]);
    await until('the files are deleted', async () => (await place.files()).length === 0);
    await until('and that is on record', async () => (await place.row(done.id)).filesDeleted);
    expect(await api.read(done.id)).toEqual(kept);
    expect(await statuses(urls)).toEqual([410, 410]);
    // A URL is judged by its signature first, also then.
    expect(await statuses([`${urls[0]?.slice(0, -1)}x`])).toEqual([403]);
  });

  test.for(['its job waits', 'its job is lost'])(
    'a worker that was down at that moment deletes the files when it starts: %s',
    async (job) => {
      await place.seed('M1', 10);
      const { url } = await start({ work: false });
      const api = await connectApi(url);
      const first = await start({ serve: false }, SHORT);
      const done = await api.export(FROM, TO);
      await first.stop();
      if (job === 'its job is lost') {
        const lost = await place.pool.query(
          `DELETE FROM tillroll_queue.job WHERE name = 'expire-export'`,
        );
        expect(lost.rowCount).toBe(1);
      }
      await pastExpiry(api, done.id);
      expect(await place.files()).toHaveLength(1);
      expect(await statuses(listUrls(done))).toEqual([410]);

      await start({ serve: false }, SHORT);

      await until('the files are deleted', async () => (await place.files()).length === 0);
      await until('and that is on record', async () => (await place.row(done.id)).filesDeleted);
      expect((await api.read(done.id)).status).toBe('DONE');
    },
  );

  test('of exports that end together, none waits for the polls of the others', async () => {
    const count = 30;
    // Longer than until the sweep of the worker's start, which would delete the files as well.
    const { url } = await start({}, { TILLROLL_RETENTION: '10s', TILLROLL_WORKERS: '4' });
    const api = await connectApi(url);
    await Promise.all(Array.from({ length: count }, () => api.export(FROM, TO)));
    // A poll a second would take half a minute.
    const isDeleted = async (): Promise<boolean> => {
      const { rows } = await place.pool.query('SELECT FROM tillroll.exports WHERE files_deleted');
      return rows.length === count;
    };
    await until('all are on record as deleted', isDeleted, { timeoutMs: 25_000 });
  });
});

test('what a crash left in storage is swept when a worker starts; what is needed stays', async () => {
  await place.seed('M1', 1200);
  const serve = await start({ work: false });
  const api = await connectApi(serve.url);
  const first = await start({ serve: false });
  const done = await api.export(FROM, TO);
  await first.stop();
  const needed = await place.files();
  expect(needed).toHaveLength(2);
  const orphans = [`0123456789ABC/1`, `0123456789ABC/2`, `${done.id}/7`, `${done.id}/0`];
  for (const orphan of orphans) {
    await mkdir(join(place.dataDir, 'files', orphan), { recursive: true });
    await writeFile(join(place.dataDir, 'files', orphan, '000000.json.gz'), 'half a fi');
  }
  await mkdir(join(place.dataDir, 'files', 'not-ours/1'), { recursive: true });
  await writeFile(join(place.dataDir, 'files', 'not-ours/1/000000.json.gz'), 'somebody else');

  await start({ serve: false });

  const stay = [...needed, 'not-ours/1/000000.json.gz'].toSorted();
  await until('the orphans are gone', async () => (await place.files()).length === stay.length);
  expect(await place.files()).toEqual(stay);
  expect(await download(await api.read(done.id))).toHaveLength(2);
});

describe('history', () => {
  /** Ends an export as an operator, or a fault, would. */
  async function end(id: string, status: 'FAILED' | 'CANCELED'): Promise<void> {
    await place.pool.query('UPDATE tillroll.exports SET status = $2 WHERE id = $1', [id, status]);
  }

  test('what ended long ago is forgotten with its files; what is open or available is not', async () => {
    await place.seed('M1', 10);
    const { url } = await start({ work: false });
    const api = await connectApi(url);
    const short = await start({ serve: false }, SHORT);
    const expired = await api.export(FROM, TO);
    await until('its files are deleted', async () => (await place.row(expired.id)).filesDeleted);
    await short.stop();
    const long = await start({ serve: false });
    const available = await api.export(FROM, TO);
    await long.stop();
    const [failed, canceled, open, young] = await Promise.all(
      ['failed', 'canceled', 'open', 'young'].map(() => api.create(FROM, TO)),
    );
    if (!failed || !canceled || !open || !young) throw new Error('not created');
    await end(failed.id, 'FAILED');
    await end(canceled.id, 'CANCELED');
    await end(young.id, 'CANCELED');
    const leftover = join(place.dataDir, 'files', failed.id, '1');
    await mkdir(leftover, { recursive: true });
    await writeFile(join(leftover, '000000.json.gz'), 'half a fi');
    await place.pool.query(
      `UPDATE tillroll.exports SET modified_time = modified_time - 86400000 WHERE id <> $1`,
      [young.id],
    );

    await start({ serve: false }, { TILLROLL_EXPORT_HISTORY: '12h' });

    const listed = async (): Promise<string[]> => {
      const response = await api.fetch('/exports');
      const { elements } = (await response.json()) as { elements: Exported[] };
      return elements.map(({ id }) => id).toSorted();
    };
    const stay = [available.id, open.id, young.id].toSorted();
    await until('the old ones are forgotten', async () => (await listed()).length <= stay.length);
    expect(await listed()).toEqual(stay);
    for (const { id } of [expired, failed, canceled]) {
      expect((await api.fetch(`/exports/${id}`)).status).toBe(404);
    }
    expect((await place.files()).some((file) => file.startsWith(failed.id))).toBe(false);
    expect(await statuses(listUrls(await api.read(available.id)))).toEqual([200]);
    expect((await api.ended(open.id)).status).toBe('DONE');
    const { rows } = await place.pool.query(
      'SELECT FROM tillroll.export_files WHERE export_id = $1',
      [expired.id],
    );
    expect(rows).toEqual([]);
  });

  test('more of them than one batch holds are all forgotten', async () => {
    await place.pool.query(
      `INSERT INTO tillroll.exports (id, merchant_id, app_id, type, status, start_time, end_time,
         created_time, modified_time, job_id)
       SELECT lpad(n::text, 13, '0'), 'M1', 'app', 'ORDERS', 'FAILED', 0, 1, 0, 0, gen_random_uuid()
       FROM generate_series(1, 350) n`,
    );
    await start({ serve: false });
    await until('all are forgotten', async () => {
      const { rows } = await place.pool.query('SELECT FROM tillroll.exports');
      return rows.length === 0;
    });
  });
});

test("purge deletes one merchant's objects, exports and files, and nobody else's", async () => {
  const { url } = await start({});
  const exported: Record<string, { api: Api; done: Exported }> = {};
  for (const merchant of ['M1', 'M2', 'M1x']) {
    await place.seed(merchant, 1200);
    await place.load(merchant, `{"id":"p","createdTime":${FROM}}`, 'PAYMENTS');
    const api = await connectApi(url, merchant);
    exported[merchant] = { api, done: await api.export(FROM, TO) };
  }
  const { M1 } = exported;
  if (!M1) throw new Error('no export of M1');

  const printed = await command(['purge', '--merchant', 'M1'], place.environment());

  expect(printed).toBe('1201 objects and 1 exports deleted');
  expect((await M1.api.fetch(`/exports/${M1.done.id}`)).status).toBe(404);
  expect(await statuses(listUrls(M1.done))).toEqual([410, 410]);
  const left = await place.pool.query<{ merchant: string; objects: number }>(
    `SELECT merchant_id AS merchant, count(*)::int AS objects FROM
       (SELECT merchant_id FROM tillroll.orders UNION ALL SELECT merchant_id FROM tillroll.payments) o
     GROUP BY 1 ORDER BY 1`,
  );
  expect(left.rows).toEqual([
    { merchant: 'M1x', objects: 1201 },
    { merchant: 'M2', objects: 1201 },
  ]);
  for (const merchant of ['M2', 'M1x']) {
    const other = exported[merchant];
    expect(await other?.api.read(other.done.id)).toMatchObject({ status: 'DONE' });
    expect(await statuses(listUrls(other?.done as Exported))).toEqual([200, 200]);
  }
  const owners = new Set((await place.files()).map((file) => file.split('/')[0]));
  expect(owners).toEqual(new Set([exported['M2']?.done.id, exported['M1x']?.done.id]));
  // Its tokens are still valid: it may load again.
  expect((await M1.api.export(FROM, TO)).files).toEqual({ elements: [] });
});

test('uninstall revokes at once, of one app or of all', async () => {
  const { url } = await start({});
  const first = await connectApi(url, 'M1', 'app-a');
  const second = await connectApi(url, 'M1', 'app-b');
  const other = await connectApi(url, 'M2', 'app-a');
  const look = (): Promise<number[]> =>
    Promise.all(
      [first, second, other].map(async (api) => {
        const response = await api.fetch('/exports');
        const text = await response.text();
        if (response.status === 401) expect(text).toBe('{"message":"401 Unauthorized"}');
        return response.status;
      }),
    );
  expect(await look()).toEqual([200, 200, 200]);
  await command(['uninstall', '--merchant', 'M1', '--app', 'app-a'], place.environment());
  expect(await look()).toEqual([401, 200, 200]);
  await command(['uninstall', '--merchant', 'M1'], place.environment());
  expect(await look()).toEqual([401, 401, 200]);
});
