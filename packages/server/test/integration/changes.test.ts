/** Exports of changes: a reader that follows them has exactly the source, whatever happens meanwhile. */
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import fc from 'fast-check';
import { createPool, type Pool } from '../../src/database/pool.ts';
import { beginLoad, Loader } from '../../src/ingest/load.ts';
import { dropOldChanges } from '../../src/exports/changes.ts';
import { purgeObjects } from '../../src/ingest/merge.ts';
import { copyParts, ROW_LAYOUTS } from '../../src/source/statement.ts';
import { Api } from './api.ts';
import { restoreInto, takeBackup } from './backup-scene.ts';
import { Follower, order, refuseSince, remove } from './changes-scene.ts';
import { makePlace, type Place } from './place.ts';
import { serveHere } from './service.ts';

let place: Place;

beforeEach(async () => {
  place = await makePlace();
});
afterEach(() => place.remove());

/** Runs a service over a place until `run` ends. */
async function serving<T>(
  of: Place,
  run: (api: Api) => Promise<T>,
  more: Record<string, string> = {},
): Promise<T> {
  const service = await serveHere(of, {}, { TILLROLL_WORKERS: '3', ...more });
  try {
    return await run(new Api(service.url, 'M1', await of.install('M1')));
  } finally {
    await service.stop();
  }
}

describe('a follower has the source at every cursor', () => {
  const change = fc.record({
    kind: fc.constantFrom('load', 'load', 'load', 'delete'),
    ids: fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 4 }),
  });
  const session = fc.array(change, { minLength: 3, maxLength: 8 });

  test('whatever several sessions load and delete at the same time', async () => {
    await place.pool.query(`
      CREATE TABLE public.history (id text, number bigint, object text);
      CREATE FUNCTION public.note_object() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN INSERT INTO public.history VALUES (NEW.id, NEW.load_number, NEW.object); RETURN NULL; END $$;
      CREATE FUNCTION public.note_deletion() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN INSERT INTO public.history VALUES (NEW.id, NEW.load_number, NULL); RETURN NULL; END $$;
      CREATE TRIGGER note AFTER INSERT OR UPDATE ON tillroll.orders
        FOR EACH ROW EXECUTE FUNCTION public.note_object();
      CREATE TRIGGER note AFTER INSERT ON tillroll.tombstones
        FOR EACH ROW EXECUTE FUNCTION public.note_deletion()`);
    let version = 0;
    await serving(place, async (api) => {
      const run = async (changes: readonly { kind: string; ids: number[] }[]): Promise<void> => {
        for (const { kind, ids } of changes) {
          if (kind === 'delete')
            await remove(
              api,
              ids.map((id) => `O${id}`),
            );
          else await place.load('M1', ids.map((id) => order(`O${id}`, ++version)).join('\n'));
        }
      };
      await fc.assert(
        fc.asyncProperty(fc.array(session, { minLength: 2, maxLength: 3 }), async (sessions) => {
          const followers = [new Follower(api), new Follower(api)];
          let isOver = false;
          const following = followers.map(async (follower) => {
            while (!isOver) {
              await follower.follow();
              expect(follower.objects).toEqual(await follower.readHistory(place));
            }
          });
          await Promise.all(sessions.map(run)).finally(() => (isOver = true));
          await Promise.all(following);
          for (const follower of [...followers, new Follower(api)]) {
            await follower.follow();
            const { rows } = await place.pool.query<{ id: string; object: string }>(
              'SELECT id, object FROM tillroll.orders ORDER BY id',
            );
            expect(follower.objects).toEqual(new Map(rows.map(({ id, object }) => [id, object])));
          }
        }),
        { numRuns: 5 },
      );
    });
    const { rows } = await place.pool.query(
      `SELECT FROM tillroll.change_heads WHERE type = 'ORDERS' AND last_number <>
         (SELECT count(*) FROM tillroll.loads WHERE type = 'ORDERS')`,
    );
    expect(rows, 'numbers have no gaps').toHaveLength(0);
  });
});

describe('a session that is killed before any of its statements', () => {
  /** A pool of which one session is ended before its `victim`th statement, counted from 1. */
  function breakingPool(victim: number): { pool: Pool; statements: () => number } {
    const pool = createPool({ connectionString: place.databaseUrl }, 2, () => undefined);
    let statements = 0;
    const connect = pool.connect.bind(pool);
    pool.connect = async () => {
      const client = await connect();
      const query = client.query.bind(client) as (...args: unknown[]) => Promise<unknown>;
      const counted = async (...args: unknown[]): Promise<unknown> => {
        if (++statements === victim) {
          const { rows } = (await query('SELECT pg_backend_pid() AS pid')) as {
            rows: { pid: number }[];
          };
          await place.pool.query('SELECT pg_terminate_backend($1, 5000)', [rows[0]?.pid]);
        }
        return query(...args);
      };
      // A COPY is no promise.
      Object.assign(client, {
        query: (...args: unknown[]) =>
          typeof args[0] === 'string' ? counted(...args) : query(...args),
      });
      return client;
    };
    return { pool, statements: () => statements };
  }

  test('a load and a delete leave all or nothing, and no change is missed', async () => {
    await serving(place, async (api) => {
      const follower = new Follower(api);
      let version = 0;
      for (let victim = 1; ; victim++) {
        const { pool, statements } = breakingPool(victim);
        const limits = { maxUploads: 2, maxSpoolBytes: 1024 ** 2, minFreeBytes: 0 };
        const loader = new Loader(pool, join(place.dataDir, 'spool'), limits);
        const upload = async (text: string) => ({
          ...(await beginLoad(place.pool, 'M1')),
          merchantId: 'M1',
          type: 'ORDERS' as const,
          body: Readable.from([Buffer.from(text)]),
          encoding: 'identity' as const,
          install: null,
        });
        const lines = ['A', 'B'].map((id) => order(id, ++version)).join('\n');
        await loader.load(await upload(lines)).catch(() => undefined);
        await loader.delete(await upload('{"id":"A"}')).catch(() => undefined);
        await loader.close();
        await pool.end();
        await follower.follow();
        const { rows } = await place.pool.query<{ id: string; object: string }>(
          'SELECT id, object FROM tillroll.orders ORDER BY id',
        );
        expect(follower.objects, `killed before statement ${victim}`).toEqual(
          new Map(rows.map(({ id, object }) => [id, object])),
        );
        if (statements() < victim) break;
        expect(victim).toBeLessThan(60);
      }
    });
  });
});

describe('a cursor is gone', () => {
  test('after a restore, once its number is given again; one of before the backup stays good', async () => {
    const target = await makePlace();
    try {
      await place.load('M1', order('A', 1));
      let backup: Buffer = Buffer.alloc(0);
      const [before, after] = await serving(place, async (api) => {
        const follower = new Follower(api);
        await follower.follow();
        const known = follower.cursor;
        backup = await takeBackup(place);
        await place.load('M1', order('B', 2));
        await place.load('M1', order('C', 3));
        await follower.follow();
        return [known, follower.cursor];
      });
      await restoreInto(target, backup);
      await serving(
        target,
        async (api) => {
          // Its number does not exist yet, then it does with another mark.
          for (const id of ['X', 'Y', 'Z']) {
            expect(await refuseSince(api, after)).toMatch(/^410: .*start again with since empty/);
            await target.load('M1', order(id, 4));
          }
          expect(await refuseSince(api, after)).toMatch(/^410/);
          const follower = new Follower(api, before);
          await follower.follow();
          expect([...follower.objects.keys()]).toEqual(['X', 'Y', 'Z']);
        },
        { TILLROLL_STORAGE_URL: `file://${join(place.dataDir, 'files')}` },
      );
    } finally {
      await target.remove();
    }
  });

  test('after a purge', async () => {
    await place.load('M1', order('A', 1));
    await serving(place, async (api) => {
      const follower = new Follower(api);
      await follower.follow();
      await purgeObjects(place.pool, 'M1');
      await place.load('M1', order('B', 2));
      expect(await refuseSince(api, follower.cursor)).toMatch(/^410/);
      const anew = new Follower(api);
      await anew.follow();
      expect([...anew.objects.keys()]).toEqual(['B']);
    });
  });

  test('when it is older than a deletion that is forgotten; a newer one stays good', async () => {
    await place.load('M1', `${order('A', 1)}\n${order('B', 1)}`);
    await serving(place, async (api) => {
      const follower = new Follower(api);
      await follower.follow();
      const old = follower.cursor;
      await remove(api, ['A']);
      await follower.follow();
      const seen = follower.cursor;
      expect(await dropOldChanges(place.pool, 0)).toBe(1);
      expect(await refuseSince(api, old)).toMatch(/^410/);
      await place.load('M1', order('C', 2));
      const next = new Follower(api, seen);
      await next.follow();
      expect([...next.objects.keys()]).toEqual(['C']);
    });
  });
});

test('behind a view changes are refused with that reason', async () => {
  await place.pool.query(`
    ALTER TABLE tillroll.orders RENAME TO orders_unused;
    CREATE VIEW tillroll.orders AS SELECT * FROM tillroll.orders_unused`);
  await serving(place, async (api) => {
    expect(await refuseSince(api, '')).toMatch(/^400: since is not offered here: ORDERS .* view/);
  });
});

test('an export of changes reads what it returns, whatever the table holds', async () => {
  await place.seed('M1', 20_000);
  await place.load('M1', Array.from({ length: 10 }, (_, i) => order(`NEW${i}`, 1)).join('\n'));
  await place.pool.query('ANALYZE tillroll.orders');
  const { rows: heads } = await place.pool.query<{ number: number }>(
    'SELECT last_number AS number FROM tillroll.change_heads',
  );
  const sinceNumber = (heads[0]?.number ?? 0) - 1;
  const range = { startTime: 0, endTime: 0, sinceNumber };
  for (const { statement } of copyParts(
    { merchantId: 'M1', type: 'ORDERS', ...range },
    ROW_LAYOUTS.ORDERS,
  )) {
    const query = statement.replace(/^COPY \(/, '').replace(/\) TO STDOUT.*$/s, '');
    const { rows } = await place.pool.query<{ 'QUERY PLAN': [{ Plan: Plan }] }>(
      `EXPLAIN (ANALYZE, FORMAT JSON) ${query}`,
    );
    const plan = rows[0]?.['QUERY PLAN'][0].Plan;
    expect(plan?.['Node Type']).toMatch(/^Index (Only )?Scan$/);
    expect(plan?.['Actual Rows']).toBeLessThanOrEqual(10);
    expect(plan?.['Rows Removed by Filter'] ?? 0).toBe(0);
  }
});

interface Plan {
  'Node Type': string;
  'Actual Rows': number;
  'Rows Removed by Filter'?: number;
}
