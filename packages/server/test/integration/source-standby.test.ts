import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Api } from './api.ts';
import { ADMIN, type Node } from './node.ts';
import { FROM, TO } from './place.ts';
import { hasPooler, startPooler } from './pooler.ts';
import {
  BRIEF,
  catchUp,
  countObjects,
  insertOrders,
  load,
  makePlatform,
  makeSourceScene,
  type SourceScene,
} from './source-scene.ts';
import { until } from './until.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let scene: SourceScene;
let standby: Node;

beforeEach(async () => {
  scene = await makeSourceScene();
  standby = await scene.primary.standby();
  scene.addEnd(() => standby.remove());
});

afterEach(() => scene.remove());

/** Puts PgBouncer in transaction mode before the standby. @returns the database's address there. */
async function pool(database: string): Promise<string> {
  const pooler = await startPooler({
    host: '127.0.0.1',
    port: standby.port,
    user: ADMIN,
    password: 'unused',
  });
  scene.addEnd(() => pooler.close());
  return pooler.through(standby.url(database));
}

/** A way to read from a standby: its address, and what the platform does to add orders. */
interface Way {
  prepare: () => Promise<string>;
  add: (api: Api, prefix: string) => Promise<void>;
}

const WAYS: Readonly<Record<string, Way>> = {
  'of the same database': {
    prepare: () => Promise.resolve(standby.url('tills')),
    add: (api, prefix) => load(api, prefix, 10),
  },
  'by a role that may read orders and payments alone': {
    async prepare() {
      await scene.primary.administer('CREATE ROLE reader LOGIN');
      return standby.url('tills', 'reader');
    },
    async add(api, prefix) {
      await scene.primary.administer(
        'GRANT USAGE ON SCHEMA tillroll TO reader; GRANT SELECT ON tillroll.orders, tillroll.payments TO reader',
        'tills',
      );
      await load(api, prefix, 10);
    },
  },
  'behind a pooler': {
    prepare: () => pool('tills'),
    add: (api, prefix) => load(api, prefix, 10),
  },
  'of another database of the same servers, behind a pooler': {
    async prepare() {
      await makePlatform(scene.primary, 0);
      return pool('shop');
    },
    add: (_, prefix) => insertOrders(scene.primary, prefix, 10),
  },
  'of another database of the same servers': {
    async prepare() {
      await makePlatform(scene.primary, 0);
      return standby.url('shop');
    },
    add: (_, prefix) => insertOrders(scene.primary, prefix, 10),
  },
};

function findWay(name: string): Way {
  const way = WAYS[name];
  if (!way) throw new Error(`no way ${name}`);
  return way;
}

/** Those with a pooler are skipped where PgBouncer is not installed, and vitest says so; .ci/run installs it. */
test.for(Object.keys(WAYS).map((name) => [name, name.includes('pooler') && !hasPooler] as const))(
  'a standby %s: an export waits until it has what was committed before',
  async ([name, isSkipped], { skip }) => {
    skip(isSkipped, 'PgBouncer is not installed');
    const { prepare, add } = findWay(name);
    const api = await scene.start(scene.environment(await prepare()));
    await add(api, 'early');
    expect(await countObjects(await api.export(FROM, TO))).toBe(10);

    await standby.administer('SELECT pg_wal_replay_pause()');
    await add(api, 'late');
    const { id } = await api.create(FROM, TO);
    await until('a worker took it', async () => (await api.read(id)).status === 'IN_PROGRESS');
    await delay(1_500);
    expect((await api.read(id)).status).toBe('IN_PROGRESS');
    await standby.administer('SELECT pg_wal_replay_resume()');

    expect(await countObjects(await api.ended(id))).toBe(20);
    expect(await scene.readExport(id)).toMatchObject({ attempt: 1, errors: 0, interruptions: 0 });
  },
);

/** One of each kind: by the row of the export, and by the position in the write-ahead log. */
test.for(['of the same database', 'of another database of the same servers'])(
  'a standby %s that stays behind: the export fails and says so, and the next one works',
  async (name) => {
    const { prepare, add } = findWay(name);
    const api = await scene.start(scene.environment(await prepare()), BRIEF);
    await add(api, 'early');
    expect(await countObjects(await api.export(FROM, TO))).toBe(10);
    await standby.administer('SELECT pg_wal_replay_pause()');
    const ended = await api.export(FROM, TO);
    expect(ended).toMatchObject({ status: 'FAILED', failure: { code: 'SOURCE_BEHIND' } });
    expect(await scene.readExport(ended.id)).toMatchObject({ errors: 8, interruptions: 0 });
    await standby.administer('SELECT pg_wal_replay_resume()');
    expect(await countObjects(await api.export(FROM, TO))).toBe(10);
  },
);

test('a standby that is always behind by more than an attempt waits: a later attempt gets there', async () => {
  await makePlatform(scene.primary, 10);
  await standby.administer("ALTER SYSTEM SET recovery_min_apply_delay = '3s'");
  await standby.administer('SELECT pg_reload_conf()');
  const api = await scene.start(scene.environment(standby.url('shop')), {
    ...BRIEF,
    behindMs: 1_000,
  });
  const { id } = await api.create(FROM, TO);
  const positions = new Set<string>();
  await until('it has ended', async () => {
    const { status, position } = await scene.readExport(id);
    if (position !== null) positions.add(position);
    return status === 'DONE' || status === 'FAILED';
  });
  expect(await countObjects(await api.read(id))).toBe(10);
  // Each attempt waits for the position of the first, while the primary writes on.
  expect(positions.size).toBe(1);
  expect((await scene.readExport(id)).errors).toBeGreaterThan(0);
});

test('defaults of a role that a standby refuses: exports are read all the same', async () => {
  await scene.primary.administer(
    `CREATE ROLE odd LOGIN SUPERUSER;
     ALTER ROLE odd SET default_transaction_isolation = 'serializable';
     ALTER ROLE odd SET default_transaction_deferrable = on;
     ALTER ROLE odd SET search_path = nowhere;
     ALTER ROLE odd SET statement_timeout = '50ms';
     ALTER ROLE odd SET datestyle = 'German';
     ALTER ROLE odd SET extra_float_digits = -15`,
  );
  await catchUp(standby, scene.primary);
  const api = await scene.start(scene.environment(standby.url('tills', 'odd')));
  await load(api, 'o', 10);
  const exported = await api.export(FROM, TO);
  expect(await countObjects(exported)).toBe(10);
  expect(await scene.readExport(exported.id)).toMatchObject({ attempt: 1, errors: 0 });
});
