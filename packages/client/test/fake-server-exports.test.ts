import type { ExportObject } from '@tillroll/contract';
import { describe, expect, test } from 'vitest';
import { ask, create, exported, fakeServer, plain, read, listUrls } from './fake-server-calls.ts';

describe('faults of the export', () => {
  test('members set, taken away, huge', async () => {
    const fake = await fakeServer();
    fake.set({ members: { on: 'read', inStatus: 'DONE', remove: ['exportUrls'], padBytes: 9 } });
    expect(await exported(fake)).toMatchObject({ status: 'DONE', padding: 'xxxxxxxxx' });
    expect(await exported(fake)).not.toHaveProperty('exportUrls');
    fake.set({ members: { on: 'create', set: { id: '../../etc', odd: 1 } } });
    expect(await create(fake)).toMatchObject({ id: '../../etc', odd: 1 });
  });

  test('another order of the files, other URLs, URLs that do not hold', async () => {
    const fake = await fakeServer();
    const { id } = await create(fake);
    const positions = (one: ExportObject): string[] =>
      listUrls(one).map((url) => new URL(url).pathname.slice(-1));
    fake.set({ order: { how: 'reversed' } });
    const reversed = await read(fake, id);
    expect(positions(reversed)).toEqual(['2', '1', '0']);
    expect(reversed.files?.elements.map(({ objects }) => objects)).toEqual([5, 10, 10]);
    fake.set({ order: { how: 'shuffled' } });
    const orders = new Set<string>();
    for (let i = 0; i < 40; i++) orders.add(positions(await read(fake, id)).join());
    expect(orders.size).toBeGreaterThan(1);

    const starts = {
      file: /^file:/,
      ftp: /^ftp:/,
      javascript: /^javascript:/,
      data: /^data:/,
      elsewhere: new RegExp(`^${fake.elsewhereUrl}`),
      userinfo: /^http:\/\/somebody:word@127/,
      relative: /^\/v3\/files/,
      text: /^no URL/,
    };
    for (const [how, start] of Object.entries(starts) as [keyof typeof starts, RegExp][]) {
      fake.set({ urls: { how } });
      expect(listUrls(await read(fake, id))[0]).toMatch(start);
    }
    fake.set({ urls: { how: 'elsewhere' } });
    expect((await plain(listUrls(await read(fake, id))[0] as string)).status).toBe(200);

    fake.set({ urlsExpire: { ms: 0, status: 403, times: 1 } });
    expect((await plain(listUrls(await read(fake, id))[0] as string)).status).toBe(403);
    expect((await plain(listUrls(await read(fake, id))[0] as string)).status).toBe(200);
  });

  test('a manifest that is wrong', async () => {
    const fake = await fakeServer();
    const right = (await exported(fake)).files?.elements ?? [];
    fake.set({ manifest: { at: 1, sha256: 'wrong', objects: 1, bytes: -1 } });
    const wrong = (await exported(fake)).files?.elements ?? [];
    expect([wrong[0], wrong[2]]).toEqual([right[0], right[2]]);
    expect(wrong[1]).toMatchObject({ objects: 11, bytes: (right[1]?.bytes ?? 0) - 1 });
    expect(wrong[1]?.sha256).not.toBe(right[1]?.sha256);
    fake.set({ manifest: { missing: 'last' } });
    expect((await exported(fake)).files?.elements).toHaveLength(2);
    fake.set({ manifest: { missing: 'all' } });
    expect(await exported(fake)).not.toHaveProperty('files');
  });

  test('never finished, failed, forgotten, vanished', async () => {
    const fake = await fakeServer({ maxOpen: 9 });
    fake.set({ unfinished: { times: 1 } });
    const { id } = await create(fake);
    for (let i = 0; i < 3; i++) expect((await read(fake, id)).status).toBe('IN_PROGRESS');
    await exported(fake);
    fake.set({ failed: { times: 1, code: 'WORKER_LOST' } });
    const failed = await read(fake, (await create(fake)).id);
    expect(failed).toMatchObject({ status: 'FAILED', failure: { code: 'WORKER_LOST' } });
    await exported(fake);
    fake.set({ forgotten: { reads: 1 } });
    const lost = await exported(fake);
    expect((await ask(fake, lost.id)).status).toBe(404);
    fake.set({ vanished: { downloads: 1 } });
    const done = await exported(fake);
    const statuses = [];
    for (const url of listUrls(done)) statuses.push((await plain(url)).status);
    expect(statuses).toEqual([200, 410, 410]);
    expect(await read(fake, done.id)).not.toHaveProperty('exportUrls');
  });
});
