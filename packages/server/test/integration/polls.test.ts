import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { uninstall } from '../../src/access/installs.ts';
import { poll, readFile } from '../../src/exports/sql.ts';
import { Api, download } from './api.ts';
import { FROM, makePlace, TO, type Place } from './place.ts';
import { serveHere } from './service.ts';
import { startProxy, type RoundTrip, type WireProxy } from './wire-proxy.ts';

let place: Place;
let proxy: WireProxy;
let service: Awaited<ReturnType<typeof serveHere>>;

beforeEach(async () => {
  place = await makePlace();
  proxy = await startProxy(place);
  service = await serveHere(place, { work: false }, { DATABASE_URL: proxy.databaseUrl });
});

afterEach(async () => {
  await service.stop();
  await proxy.close();
  await place.remove();
});

/** Round trips of requests; a check in the background names none of our tables. */
function ofRequests(trips: readonly RoundTrip[]): RoundTrip[] {
  return trips.filter(({ text }) => /tillroll\.[a-z]|BEGIN|COMMIT/.test(text));
}

async function work<T>(during: () => Promise<T>): Promise<T> {
  const worker = await serveHere(place, { serve: false });
  try {
    return await during();
  } finally {
    await worker.stop();
  }
}

describe('round trips', () => {
  test('a poll is one, token included, and leaves no named statement behind', async () => {
    const api = new Api(service.url, 'M1', await place.install('M1'));
    const { id } = await api.create(FROM, TO);
    proxy.taken();
    for (let i = 0; i < 10; i++) expect((await api.read(id)).status).toBe('PENDING');
    expect(ofRequests(proxy.taken())).toEqual(Array(10).fill({ text: poll, name: '' }));
  });

  test('a poll that is refused is one at most', async () => {
    const api = new Api(service.url, 'M1', await place.install('M1'));
    const foreign = new Api(service.url, 'M1', await place.install('M2'));
    const { id } = await api.create(FROM, TO);
    proxy.taken();
    expect((await api.fetch('/exports/0000000000000')).status).toBe(404);
    expect((await api.fetch('/exports/no-id-at-all')).status).toBe(404);
    expect((await foreign.fetch(`/exports/${id}`)).status).toBe(401);
    expect(ofRequests(proxy.taken())).toHaveLength(3);
    const nobody = new Api(service.url, 'M1', 'none-of-ours');
    expect((await nobody.fetch(`/exports/${id}`)).status).toBe(401);
    expect(ofRequests(proxy.taken())).toHaveLength(0);
  });

  test('polls at the same time are each answered by what was asked, in no more round trips', async () => {
    const apis = await Promise.all(
      ['M1', 'M2', 'M3'].map(
        async (merchant) => new Api(service.url, merchant, await place.install(merchant)),
      ),
    );
    const exports = await Promise.all(apis.map((api) => api.create(FROM, TO)));
    proxy.taken();
    const asked = Array.from({ length: 300 }, (_, i) => [i % 3, Math.floor(i / 3) % 3] as const);
    const answers = await Promise.all(
      asked.map(async ([of, by]) => apis[by]?.fetch(`/exports/${exports[of]?.id}`)),
    );
    for (const [i, [of, by]] of asked.entries()) {
      const body: unknown = await answers[i]?.json();
      if (of === by) expect(body).toMatchObject({ id: exports[of]?.id });
      else expect(body).toEqual({ message: 'Not Found', details: 'Export not found' });
    }
    expect(ofRequests(proxy.taken()).length).toBeLessThanOrEqual(300);
  });

  test('a poll sees what was committed before it was sent', async () => {
    const api = new Api(service.url, 'M1', await place.install('M1'));
    const { id } = await api.create(FROM, TO);
    for (let percent = 1; percent < 50; percent++) {
      await place.pool.query('UPDATE tillroll.exports SET percent_complete = $2 WHERE id = $1', [
        id,
        percent,
      ]);
      expect((await api.read(id)).percentComplete).toBe(percent);
    }
    await uninstall(place.pool, 'M1', null);
    expect((await api.fetch(`/exports/${id}`)).status).toBe(401);
  });

  test('a download is one', async () => {
    await place.seed('M1', 2500);
    const api = new Api(service.url, 'M1', await place.install('M1'));
    const done = await work(() => api.export(FROM, TO));
    proxy.taken();
    expect(await download(done)).toHaveLength(3);
    expect(ofRequests(proxy.taken())).toEqual(Array(3).fill({ text: readFile, name: '' }));
  });
});

describe('what is read', () => {
  test('of an export of 300 files a download reads one row of the manifest', async () => {
    const id = await doneExport('M1', 300);
    await place.pool.query('ANALYZE tillroll.export_files');
    const { rows } = await place.pool.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(
      `EXPLAIN (ANALYZE, FORMAT JSON) ${readFile.replace('$1', `'${id}'`).replace('$2', '7')}`,
    );
    const scans = listNodes(rows[0]?.['QUERY PLAN'][0].Plan).filter(
      (node) => node['Relation Name'] === 'export_files',
    );
    expect(scans.map((node) => [node['Node Type'], node['Actual Rows']])).toEqual([
      [expect.stringMatching(/^Index/), 1],
    ]);
  });

  test('a poll of it shows every file, and its list none', async () => {
    const id = await doneExport('M1', 300);
    const api = new Api(service.url, 'M1', await place.install('M1'));
    const done = await api.read(id);
    expect(done.exportUrls?.elements).toHaveLength(300);
    expect(done.files?.elements[299]).toEqual({
      objects: 1000,
      bytes: 1_370_000,
      sha256: '299'.padStart(64, '0'),
    });

    const text = await (await api.fetch('/exports')).text();
    const { elements } = JSON.parse(text) as { elements: object[] };
    expect(elements.map((element) => Object.keys(element))).toEqual([
      Object.keys(done).filter((member) => member !== 'exportUrls' && member !== 'files'),
    ]);
    expect(text).not.toContain('signature');
    // A thousand of them stay below half a megabyte.
    expect(text.length).toBeLessThan(500);
  });

  test('the list reads no manifest', async () => {
    const api = new Api(service.url, 'M1', await place.install('M1'));
    proxy.taken();
    await (await api.fetch('/exports?limit=1000')).text();
    const texts = ofRequests(proxy.taken()).map(({ text }) => text);
    expect(texts.at(-1)).toContain('tillroll.exports');
    expect(texts.join()).not.toMatch(/files\b(?!Deleted|_deleted)/);
  });
});

interface PlanNode {
  'Node Type': string;
  'Relation Name'?: string;
  'Actual Rows': number;
  Plans?: PlanNode[];
}

function listNodes(node: PlanNode | undefined): PlanNode[] {
  return node ? [node, ...(node.Plans ?? []).flatMap(listNodes)] : [];
}

/** A DONE export with a manifest, as a worker leaves it; the files themselves are not there. */
async function doneExport(merchant: string, files: number): Promise<string> {
  const id = 'D0NE000000000';
  await place.pool.query(
    `INSERT INTO tillroll.exports (id, merchant_id, app_id, type, status, percent_complete, start_time,
       end_time, created_time, modified_time, available_until, attempt, job_id, files)
     SELECT $1, $2, 'app', 'ORDERS', 'DONE', 100, $3, $4, now, now, now + 86400000, 1, gen_random_uuid(),
       (SELECT json_agg(json_build_object('objects', 1000, 'bytes', 1370000,
                                          'sha256', lpad((n - 1)::text, 64, '0')) ORDER BY n)
        FROM generate_series(1, $5::int) n)
     FROM (SELECT tillroll.now_ms() AS now) clock`,
    [id, merchant, FROM, TO, files],
  );
  await place.pool.query(
    `INSERT INTO tillroll.export_files (export_id, position, objects, bytes, compressed_bytes, sha256)
     SELECT $1, n - 1, 1000, 1370000, 180000, lpad((n - 1)::text, 64, '0')
     FROM generate_series(1, $2::int) n`,
    [id, files],
  );
  return id;
}
