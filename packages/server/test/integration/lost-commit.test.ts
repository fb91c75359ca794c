import { randomUUID } from 'node:crypto';
import { parseHours } from '@tillroll/contract';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { type PoolClient, toConnection } from '../../src/database/pool.ts';
import { Cursors } from '../../src/exports/cursor.ts';
import { createExport } from '../../src/exports/create.ts';
import { createLogger } from '../../src/log.ts';
import { UNOBSERVED } from '../../src/observer.ts';
import { BossQueue } from '../../src/queue/boss-queue.ts';
import { runExport } from '../../src/worker/run-export.ts';
import { download, parseIds } from './api.ts';
import { withPlace, withService } from './failures-scene.ts';
import { FROM, type Place, TO } from './place.ts';
import { endChildren } from './process.ts';
import { HookedStorage } from './storages.ts';

vi.setConfig({ testTimeout: 60_000 });

afterAll(endChildren);

describe.concurrent('a link that breaks during the COMMIT that completes', () => {
  /** Runs one export whose completing COMMIT is replaced, and leaves the rest as it is. */
  async function runWith(
    place: Place,
    commit: (really: () => Promise<unknown>, cut: () => Promise<void>) => Promise<unknown>,
  ): Promise<string> {
    await place.seed('M1', 1500);
    const queue = await BossQueue.open(
      { connectionString: place.databaseUrl },
      { works: false, onError: () => undefined },
    );
    try {
      const rules = { ...place.config(), hours: parseHours('always') };
      const { record } = await createExport(place.pool, queue, rules, {
        owner: { merchantId: 'M1', appId: 'app' },
        request: {
          type: 'ORDERS',
          startTime: FROM,
          endTime: TO,
          format: 'json',
          objectsPerFile: 1000,
        },
        sinceNumber: null,
        requestId: null,
        keyed: null,
        render: () => '',
      });
      const exportId = record?.id ?? '';
      const { rows } = await place.pool.query<{ jobId: string }>(
        'SELECT job_id AS "jobId" FROM tillroll.exports WHERE id = $1',
        [exportId],
      );
      let broken = 0;
      const breaking = new Proxy(queue, {
        get(target, name) {
          if (name === 'enqueueExpiry') {
            return async (
              client: PoolClient,
              job: { exportId: string; requestId: null; at: number },
            ) => {
              await target.enqueueExpiry(client, job);
              const { rows: own } = await client.query<{ pid: number }>(
                'SELECT pg_backend_pid() AS pid',
              );
              const query = client.query.bind(client) as (text: string) => Promise<unknown>;
              const replaced = (text: string): Promise<unknown> => {
                Reflect.deleteProperty(client, 'query');
                expect(text).toBe('COMMIT');
                broken++;
                return commit(
                  () => query('COMMIT'),
                  async () => {
                    await place.pool.query('SELECT pg_terminate_backend($1, 5000)', [own[0]?.pid]);
                  },
                );
              };
              Reflect.set(client, 'query', replaced);
            };
          }
          const value: unknown = Reflect.get(target, name);
          return typeof value === 'function' ? (value.bind(target) as unknown) : value;
        },
      });
      await runExport(
        {
          pool: place.pool,
          source: {
            connection: toConnection({ connectionString: place.databaseUrl }),
            pool: place.pool,
            isSeparate: false,
          },
          queue: breaking,
          storage: new HookedStorage(place, () => Promise.resolve()),
          cursors: new Cursors('a key'),
          retentionMs: 60_000,
          tombstonesMs: 60_000,
          historyMs: 60_000,
          retryDelayMs: () => 0,
          workerName: 'test',
          checkRoom: () => Promise.resolve(),
          checkStore: () => Promise.resolve(),
          warnings: { warn: () => undefined },
          log: createLogger('silent'),
          observer: UNOBSERVED,
          shutdown: new AbortController().signal,
        },
        {
          jobId: rows[0]?.jobId ?? randomUUID(),
          exportId,
          requestId: null,
          worker: 1,
          signal: new AbortController().signal,
        },
      );
      expect(broken).toBe(1);
      return exportId;
    } finally {
      await queue.close(1000);
    }
  }

  test.concurrent('after it held: DONE, and its files stay', async () => {
    await withPlace(async (place) => {
      const id = await runWith(place, async (really, cut) => {
        await really();
        await cut();
        throw new Error('Connection terminated unexpectedly');
      });
      expect(await place.row(id)).toMatchObject({
        status: 'DONE',
        attempt: 1,
        errors: 0,
        interruptions: 0,
      });
      expect(await place.files()).toHaveLength(2);
      await withService(place, async (api) => {
        expect(new Set(parseIds(await download(await api.ended(id)))).size).toBe(1500);
      });
    });
  });

  test.concurrent('before it held: a loss, not an error; its files go and the next attempt ends it', async () => {
    await withPlace(async (place) => {
      const id = await runWith(place, async (really, cut) => {
        await cut();
        return really();
      });
      expect(await place.row(id)).toMatchObject({ status: 'PENDING', errors: 0, interruptions: 1 });
      expect(await place.files()).toEqual([]);
      await withService(place, async (api) => {
        expect(new Set(parseIds(await download(await api.ended(id)))).size).toBe(1500);
      });
      expect(await place.row(id)).toMatchObject({ status: 'DONE', attempt: 2, errors: 0 });
    });
  });
});
