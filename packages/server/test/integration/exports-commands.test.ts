/** `tillroll-server exports list|show|retry|cancel`, against a real service and without one. */

import { afterAll, expect, test } from 'vitest';
import { MAX_ERRORS } from '../../src/exports/lifecycle.ts';
import { FAILURE_GUIDE } from '../../src/exports/failure-guide.ts';
import { failing, withPlace, withService } from './failures-scene.ts';
import { Api, download, parseIds } from './api.ts';
import { holdHalfWay } from './held-source.ts';
import { FROM, TO, type Place } from './place.ts';
import { command, endChildren } from './process.ts';
import { serveHere } from './service.ts';
import { until } from './until.ts';

afterAll(endChildren);

interface Shown {
  id: string;
  merchant: string;
  status: string;
  attempt: number;
  errors: number;
  createdTime: string;
  failure: { code: string; todo: string } | null;
  lastError: { code: string; message: string } | null;
  files: { files: number; objects: number };
  job: { state: string } | null;
}

async function list(place: Place, ...args: string[]): Promise<Shown[]> {
  const text = await command(['exports', 'list', '--json', ...args], place.environment());
  return JSON.parse(text) as Shown[];
}

async function show(place: Place, id: string): Promise<Shown> {
  const text = await command(['exports', 'show', id, '--json'], place.environment());
  return JSON.parse(text) as Shown;
}

test.concurrent('retry: an export that is FAILED runs again, with all its tries, beyond limits and hours', async () => {
  await withPlace(async (place) => {
    await place.seed('M1', 2500);
    await withService(
      place,
      async (api) => {
        const { id } = await api.create(FROM, TO);
        const failed = await api.ended(id);
        expect(failed).toMatchObject({ status: 'FAILED', failure: { code: 'STORAGE_FULL' } });
        expect(await show(place, id)).toMatchObject({
          status: 'FAILED',
          errors: MAX_ERRORS,
          failure: { code: 'STORAGE_FULL', ...FAILURE_GUIDE.STORAGE_FULL },
          lastError: {
            code: 'STORAGE_FULL',
            message: expect.stringContaining('no space left on device'),
          },
          job: null,
        });
        const text = await command(['exports', 'show', id], place.environment());
        expect(text).toContain(FAILURE_GUIDE.STORAGE_FULL.todo);

        // The service's own limits and hours do not apply to its operator.
        const strict = place.environment({ TILLROLL_HOURS: 'never' });
        expect(await command(['exports', 'retry', id], strict)).toBe(`${id} is PENDING again`);

        const done = await api.ended(id);
        expect(done).toMatchObject({ status: 'DONE', percentComplete: 100 });
        expect(done).not.toHaveProperty('failure');
        expect(new Set(parseIds(await download(done))).size).toBe(2500);
        expect(await place.row(id)).toMatchObject({
          errors: 0,
          interruptions: 0,
          attempt: MAX_ERRORS + 1,
        });
        expect(await show(place, id)).toMatchObject({ files: { files: 3, objects: 2500 } });
        await expect(command(['exports', 'retry', id], place.environment())).rejects.toThrow(
          `export ${id} is DONE: only one that is FAILED or CANCELED can be retried`,
        );
      },
      failing(place, MAX_ERRORS),
    );
  });
});

test.concurrent('without a service: list filters, cancel and retry change the export and its job', async () => {
  await withPlace(async (place) => {
    const service = await serveHere(place, { work: false });
    const ids: string[] = [];
    try {
      for (const [merchant, app] of [
        ['M1', 'one'],
        ['M1', 'two'],
        ['M2', 'one'],
      ] as const) {
        const api = new Api(service.url, merchant, await place.install(merchant, app));
        ids.unshift((await api.create(FROM, TO)).id);
      }
    } finally {
      await service.stop();
    }
    const [newest = '', second = '', oldest = ''] = ids;
    expect((await list(place)).map(({ id }) => id)).toEqual(ids);
    expect((await list(place, '--limit', '1')).map(({ id }) => id)).toEqual([newest]);
    expect((await list(place, '--merchant', 'M1')).map(({ id }) => id)).toEqual([second, oldest]);
    expect((await list(place, '--app', 'one')).map(({ id }) => id)).toEqual([newest, oldest]);
    expect(await list(place, '--status', 'DONE')).toEqual([]);
    const [first] = await list(place, '--limit', '1');
    expect(first?.createdTime).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);

    expect(await command(['exports', 'cancel', second], place.environment())).toBe(
      `${second} canceled`,
    );
    expect(await place.row(second)).toMatchObject({ status: 'CANCELED' });
    await expect(command(['exports', 'cancel', second], place.environment())).rejects.toThrow(
      `export ${second} is CANCELED: only one that is PENDING or IN_PROGRESS can be canceled`,
    );
    const jobs = async (id: string): Promise<number> =>
      (
        await place.pool.query(
          `SELECT 1 FROM tillroll_queue.job j JOIN tillroll.exports e ON e.job_id = j.id
           WHERE e.id = $1 AND j.state = 'created'`,
          [id],
        )
      ).rows.length;
    const before = await place.pool.query('SELECT job_id FROM tillroll.exports WHERE id = $1', [
      second,
    ]);
    await command(['exports', 'retry', second], place.environment());
    const after = await place.pool.query('SELECT job_id FROM tillroll.exports WHERE id = $1', [
      second,
    ]);
    expect(after.rows).not.toEqual(before.rows);
    expect(await jobs(second)).toBe(1);
    expect(await show(place, second)).toMatchObject({
      status: 'PENDING',
      job: { state: 'waiting' },
    });

    for (const args of [['show'], ['retry'], ['cancel']]) {
      await expect(
        command(['exports', ...args, 'NOSUCHEXPORT1'], place.environment()),
      ).rejects.toThrow('no export "NOSUCHEXPORT1"');
    }

    // The columns align: each begins where its head does, in every line.
    const lines = (await command(['exports', 'list'], place.environment())).split('\n');
    expect(lines).toHaveLength(4);
    const statusAt = lines[0]?.indexOf('STATUS') ?? -1;
    for (const line of lines.slice(1)) expect(line.slice(statusAt)).toMatch(/^PENDING /);

    const worker = await serveHere(place, {});
    try {
      const api = new Api(worker.url, 'M1', await place.install('M1', 'two'));
      expect(await api.ended(second)).toMatchObject({ status: 'DONE' });
    } finally {
      await worker.stop();
    }
  });
});

test.concurrent('retry at once after cancel, while the worker still runs: one whole export', async () => {
  await withPlace(async (place) => {
    await place.seed('M1', 12_000);
    const source = await holdHalfWay(place);
    try {
      await withService(place, async (api) => {
        const { id } = await api.create(FROM, TO);
        await until('half of it is written', async () => (await place.files()).length >= 3);
        const { percentComplete } = await api.read(id);
        await command(['exports', 'cancel', id], place.environment());
        await command(['exports', 'retry', id], place.environment());
        await source.release();

        const done = await api.ended(id, 30_000, (answer) => {
          expect(answer.percentComplete).toBeGreaterThanOrEqual(percentComplete);
        });
        expect(done.status).toBe('DONE');
        expect(new Set(parseIds(await download(done))).size).toBe(12_000);
        const { attempt } = await place.row(id);
        expect(attempt).toBe(2);
        await until('only its files are left', async () =>
          (await place.files()).every((file) => file.startsWith(`${id}/2/`)),
        );
      });
    } finally {
      await source.release();
    }
  });
});
