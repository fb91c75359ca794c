import { afterAll, describe, expect, test, vi } from 'vitest';
import { MAX_ERRORS, MAX_PERMANENT_ERRORS } from '../../src/exports/lifecycle.ts';
import { download, parseIds } from './api.ts';
import { failing, withPlace, withService } from './failures-scene.ts';
import { holdHalfWay } from './held-source.ts';
import { FROM, TO } from './place.ts';
import { command, endChildren } from './process.ts';
import { until } from './until.ts';

vi.setConfig({ testTimeout: 60_000 });

afterAll(endChildren);

describe.concurrent('storage', () => {
  test.concurrent('that fails in every try: FAILED, with the reason', async () => {
    await withPlace(async (place) => {
      await place.seed('M1', 3000);
      await withService(
        place,
        async (api) => {
          const { id } = await api.create(FROM, TO);
          const seen = new Set<string>();
          const failed = await api.ended(id, 40_000, ({ status }) => seen.add(status));

          expect(failed).toMatchObject({
            status: 'FAILED',
            failure: { code: 'STORAGE_FULL', message: expect.stringMatching(/\w+ \w+/) },
          });
          expect(failed.percentComplete).toBeLessThan(100);
          for (const absent of ['availableUntil', 'exportUrls', 'files']) {
            expect(failed).not.toHaveProperty(absent);
          }
          // Between two tries it waits in the queue.
          expect(seen).toContain('PENDING');
          expect(await place.row(id)).toMatchObject({
            attempt: MAX_ERRORS,
            errors: MAX_ERRORS,
            interruptions: 0,
          });
          await until('nothing is left', async () => (await place.files()).length === 0);
        },
        failing(place, MAX_ERRORS),
      );
    });
  });

  test.concurrent('that fails once: tried again, and DONE', async () => {
    await withPlace(async (place) => {
      await place.seed('M1', 3000);
      await withService(
        place,
        async (api) => {
          const { id } = await api.create(FROM, TO);
          const done = await api.ended(id);
          expect(done.status).toBe('DONE');
          expect(done).not.toHaveProperty('failure');
          expect(new Set(parseIds(await download(done))).size).toBe(3000);
          expect(await place.row(id)).toMatchObject({ attempt: 2, errors: 1, interruptions: 0 });
          expect((await place.files()).map((file) => file.split('/')[1])).toEqual(['2', '2', '2']);
        },
        failing(place, 1),
      );
    });
  });
});

describe.concurrent('source', () => {
  test.concurrent('a view that breaks: FAILED, with the reason and without its SQL', async () => {
    await withPlace(async (place) => {
      await place.seed('M1', 100);
      await place.pool.query(`
        ALTER TABLE tillroll.orders RENAME TO orders_table;
        CREATE VIEW tillroll.orders AS
          SELECT merchant_id, id, created_time, modified_time, currency, total,
                 (1 / (length(object) - length(object)))::text AS object
          FROM tillroll.orders_table;`);
      await withService(place, async (api) => {
        const { id } = await api.create(FROM, TO);
        const failed = await api.ended(id, 40_000);
        expect(failed).toMatchObject({ status: 'FAILED', failure: { code: 'SOURCE_UNAVAILABLE' } });
        expect(JSON.stringify(failed)).not.toMatch(/division|COPY|SELECT/i);
        expect(await place.row(id)).toMatchObject({
          attempt: MAX_ERRORS,
          errors: MAX_ERRORS,
          interruptions: 0,
        });
      });
    });
  });

  test.concurrent.for([
    // Inside the range as it is compared, outside of it as it is read.
    ['an order that is broken', 'SOURCE_DISORDERED', `(${TO} - 0.4)::float8`, 'object'],
    ['an object that is too large', 'OBJECT_TOO_LARGE', 'created_time', `repeat('x', 65 << 20)`],
  ])(
    '%s: FAILED after fewer tries, for another one cannot help',
    async ([, code, time, object], { expect }) => {
      await withPlace(async (place) => {
        await place.load('M1', `{"id":"o","createdTime":${FROM}}`);
        await place.pool.query(`
          ALTER TABLE tillroll.orders RENAME TO orders_table;
          CREATE VIEW tillroll.orders AS
            SELECT merchant_id, id, ${time} AS created_time, modified_time, currency, total,
                   ${object} AS object
            FROM tillroll.orders_table;`);
        await withService(place, async (api) => {
          const { id } = await api.create(FROM, TO);
          const failed = await api.ended(id, 40_000);
          expect(failed).toMatchObject({ status: 'FAILED', failure: { code } });
          expect(await place.row(id)).toMatchObject({
            attempt: MAX_PERMANENT_ERRORS,
            errors: MAX_PERMANENT_ERRORS,
            interruptions: 0,
          });
        });
      });
    },
  );

  test.concurrent("a view of the documented columns over the platform's own table", async () => {
    await withPlace(async (place) => {
      // Other names, other types, and rows that lie in no useful order.
      await place.pool.query(`
        DROP TABLE tillroll.orders;
        CREATE TABLE public.sales (shop int, number int, at timestamptz, body jsonb);
        INSERT INTO public.sales
          SELECT s, n, to_timestamp(${FROM} / 1000.0) + n * interval '1 second',
                 jsonb_build_object('id', 's' || n, 'n', n)
          FROM generate_series(1, 2) s, generate_series(0, 1499) n ORDER BY random();
        CREATE VIEW tillroll.orders AS
          SELECT 'M' || shop AS merchant_id, 's' || number AS id,
                 (extract(epoch FROM at) * 1000)::bigint AS created_time,
                 (extract(epoch FROM at) * 1000)::bigint AS modified_time,
                 NULL::text AS currency, NULL::bigint AS total, body::text AS object
          FROM public.sales;`);
      await withService(place, async (api) => {
        const done = await api.export(FROM + 1000, TO);
        expect(done.status).toBe('DONE');
        const files = await download(done);
        expect(files).toHaveLength(2);
        expect(parseIds(files)).toEqual(Array.from({ length: 1499 }, (_, i) => `s${i + 1}`));
      });
    });
  });

  test.concurrent('a connection that is cut in mid-export is a loss, not an error', async () => {
    await withPlace(async (place) => {
      await place.seed('M1', 12_000);
      const source = await holdHalfWay(place);
      try {
        await withService(place, async (api) => {
          const { id } = await api.create(FROM, TO);
          await until('half of it is written', async () => (await place.files()).length >= 3);
          const cut = await place.pool.query(
            `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND query LIKE 'COPY%' AND state = 'active'`,
          );
          expect(cut.rowCount).toBe(1);
          await source.release();

          const done = await api.ended(id);
          expect(done.status).toBe('DONE');
          expect(new Set(parseIds(await download(done))).size).toBe(12_000);
          const row = await place.row(id);
          expect(row).toMatchObject({ errors: 0 });
          expect(row.interruptions).toBeGreaterThanOrEqual(1);
          expect(new Set((await place.files()).map((file) => file.split('/')[1]))).toEqual(
            new Set([String(row.attempt)]),
          );
        });
      } finally {
        await source.release();
      }
    });
  });
});

test.concurrent('canceled by the operator while it runs: CANCELED, and its files are gone', async () => {
  await withPlace(async (place) => {
    await place.seed('M1', 12_000);
    const source = await holdHalfWay(place);
    try {
      await withService(place, async (api) => {
        const { id } = await api.create(FROM, TO);
        await until('half of it is written', async () => (await place.files()).length >= 3);
        expect(await command(['exports', 'cancel', id], place.environment())).toBe(
          `${id} canceled`,
        );

        const canceled = await api.read(id);
        expect(canceled.status).toBe('CANCELED');
        expect(canceled.percentComplete).toBeLessThan(100);
        expect(canceled).not.toHaveProperty('exportUrls');
        // The source still waits: the worker must not need it to find out.
        await until('its files are gone', async () => (await place.files()).length === 0);
        await source.release();
        await expect(command(['exports', 'cancel', id], place.environment())).rejects.toThrow(
          /is CANCELED: only one that is PENDING or IN_PROGRESS can be canceled/,
        );

        // The worker is free for the next.
        expect((await api.export(FROM, TO)).status).toBe('DONE');
        expect(await place.row(id)).toMatchObject({
          status: 'CANCELED',
          errors: 0,
          interruptions: 0,
        });
      });
    } finally {
      await source.release();
    }
  });
});
