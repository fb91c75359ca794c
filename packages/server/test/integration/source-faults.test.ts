import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createPool } from '../../src/database/pool.ts';
import { Api } from './api.ts';
import { holdHalfWay } from './held-source.ts';
import { makeSwitch, type Node } from './node.ts';
import { FROM, TO } from './place.ts';
import { command, startChild } from './process.ts';
import {
  BRIEF,
  catchUp,
  countCopies,
  countObjects,
  installLoader,
  load,
  makeSourceScene,
  MERCHANT,
  promote,
  type SourceScene,
} from './source-scene.ts';
import { until } from './until.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let scene: SourceScene;
let primary: Node;
let standby: Node;

beforeEach(async () => {
  scene = await makeSourceScene();
  ({ primary } = scene);
  standby = await primary.standby();
  scene.addEnd(() => standby.remove());
});

afterEach(() => scene.remove());

/** Replaces the orders with a view that takes its time for each. */
async function slowDown(milliseconds: number): Promise<void> {
  await primary.administer(
    `ALTER TABLE tillroll.orders RENAME TO orders_table;
     CREATE VIEW tillroll.orders AS SELECT merchant_id, id, created_time, modified_time, currency, total,
       CASE WHEN pg_sleep(${milliseconds / 1000}) IS NOT NULL THEN object END AS object
     FROM tillroll.orders_table`,
    'tills',
  );
}

test('a standby that is promoted beside its primary: what it has is exported, what it misses is not', async () => {
  let retryMs = 3_000;
  const api = await scene.start(scene.environment(standby.url('tills')), {
    ...BRIEF,
    retryDelayMs: () => retryMs,
  });
  await load(api, 'early', 10);
  await standby.stop();
  const { id } = await api.create(FROM, TO);
  await until('a try failed', async () => (await scene.readExport(id)).errors > 0);
  await standby.start();
  await catchUp(standby, primary);
  await promote(standby);
  await load(api, 'late', 10);
  // Created before the promotion: the copy holds all that was committed until then.
  expect(await countObjects(await api.ended(id))).toBe(10);
  retryMs = 50;
  const failed = await scene.exportAfterErrors(api, primary);
  expect(failed.failure?.code).toBe('SOURCE_BEHIND');
});

test('a promotion in the middle of an export: it ends as it began', async () => {
  const api = await scene.start(scene.environment(standby.url('tills')));
  await load(api, 'o', 10);
  const pool = createPool({ connectionString: primary.url('tills') }, 1, () => undefined);
  scene.addEnd(() => pool.end());
  await pool.query(
    `INSERT INTO tillroll.orders SELECT merchant_id, 'z', ${TO - 1}, modified_time, currency, total, object
     FROM tillroll.orders LIMIT 1`,
  );
  const held = await holdHalfWay({ pool, databaseUrl: standby.url('tills') });
  const { id } = await api.create(FROM, TO);
  await until('the standby reads', async () => (await countCopies(standby)) > 0);
  await promote(standby);
  await held.release();
  expect((await api.ended(id)).status).toBe('DONE');
  expect(await scene.readExport(id)).toMatchObject({ attempt: 1, errors: 0, interruptions: 0 });
});

test('a standby that becomes the primary: exports continue', async () => {
  const proxy = await makeSwitch(primary.port);
  scene.addEnd(() => proxy.close());
  const address = `postgres://admin@127.0.0.1:${proxy.port}/tills`;
  const api = await scene.start(scene.environment(standby.url('tills'), address), {
    retryDelayMs: () => 50,
  });
  await load(api, 'early', 10);
  expect(await countObjects(await api.export(FROM, TO))).toBe(10);
  await primary.stop();
  await promote(standby);
  proxy.target = standby.port;
  await until('loads continue', () =>
    load(api, 'late', 10).then(
      () => true,
      () => false,
    ),
  );
  expect(await countObjects(await api.export(FROM, TO))).toBe(20);
});

test('a standby that was ahead of the new primary, and cannot follow it, gives nothing', async () => {
  const successor = await primary.standby();
  scene.addEnd(() => successor.remove());
  const proxy = await makeSwitch(primary.port);
  scene.addEnd(() => proxy.close());
  const address = `postgres://admin@127.0.0.1:${proxy.port}/tills`;
  const api = await scene.start(scene.environment(standby.url('tills'), address), BRIEF);
  await load(api, 'early', 10);
  await catchUp(successor, primary);
  await successor.stop();
  await primary.administer(
    'CREATE TABLE filler AS SELECT repeat(md5(n::text), 50) FROM generate_series(1, 20000) n',
    'tills',
  );
  await catchUp(standby, primary);
  await primary.stop();
  await successor.start();
  await promote(successor);
  proxy.target = successor.port;
  await until('loads continue', () =>
    load(api, 'late', 10).then(
      () => true,
      () => false,
    ),
  );
  const { rows } = await standby.administer('SELECT pg_last_wal_replay_lsn()::text AS lsn');
  const { lsn } = rows[0] as { lsn: string };
  const compared = await successor.administer(`SELECT pg_current_wal_lsn() < '${lsn}' AS behind`);
  expect(compared.rows).toEqual([{ behind: true }]);
  const failed = await scene.exportAfterErrors(api, successor);
  expect(failed.failure?.code).toBe('SOURCE_BEHIND');
});

test('a recovery conflict is an interruption, not an error', async () => {
  await standby.administer("ALTER SYSTEM SET max_standby_streaming_delay = '0'");
  await standby.administer('SELECT pg_reload_conf()');
  const api = await scene.start(scene.environment(standby.url('tills')));
  await load(api, 'o', 300);
  await slowDown(10);
  const { id } = await api.create(FROM, TO);
  await until('the standby reads', async () => (await countCopies(standby)) > 0);
  await primary.administer('UPDATE tillroll.orders_table SET modified_time = 1', 'tills');
  await primary.administer('VACUUM tillroll.orders_table', 'tills');

  expect(await countObjects(await api.ended(id))).toBe(300);
  expect(await scene.readExport(id)).toMatchObject({ errors: 0, interruptions: 1 });
});

test('a standby that goes away in the middle of an export, and comes back: one interruption', async () => {
  const api = await scene.start(scene.environment(standby.url('tills')));
  await load(api, 'o', 300);
  await slowDown(10);
  const { id } = await api.create(FROM, TO);
  await until('the standby reads', async () => (await countCopies(standby)) > 0);
  await standby.stop('SIGKILL');
  await standby.start();
  expect(await countObjects(await api.ended(id))).toBe(300);
  expect(await scene.readExport(id)).toMatchObject({ errors: 0, interruptions: 1 });
});

test('a source that is away at the start: one line in the log, creation works, and exports wait for it', async () => {
  const environment = scene.environment(standby.url('tills'));
  await command(['migrate'], environment);
  await standby.stop();
  const child = await startChild('all', environment);
  const api = new Api(child.url, MERCHANT, await installLoader(environment));
  await load(api, 'o', 10);
  expect((await fetch(`${child.url}/ready`)).status).toBe(200);
  expect(child.log()).toMatch(
    /"source":"tills at 127.0.0.1:[0-9]+","error":"connect ECONNREFUSED [^"]+","msg":"exports cannot be read"/,
  );
  const { id } = await api.create(FROM, TO);
  await until('a try failed', async () => (await scene.readExport(id)).errors > 0);
  expect(await scene.readExport(id)).toMatchObject({ status: 'PENDING', interruptions: 0 });
  await standby.start();
  expect(await countObjects(await api.ended(id))).toBe(10);
  await until('it says so', () => child.logged('exports can be read') === 1);
  expect(child.logged('exports cannot be read')).toBe(1);
});

test('a worker that stopped: the next one ends its statement on the standby', async () => {
  const environment = scene.environment(standby.url('tills'));
  const serve = await startChild('serve', environment);
  const api = new Api(serve.url, MERCHANT, await installLoader(environment));
  await load(api, 'o', 10);
  await slowDown(60_000);
  await catchUp(standby, primary);
  const worker = await startChild('work', environment);
  const { id } = await api.create(FROM, TO);
  const copies = async (): Promise<number[]> => {
    const { rows } = await standby.administer(
      "SELECT pid FROM pg_stat_activity WHERE query LIKE 'COPY%' AND state = 'active'",
    );
    return rows.map((row) => (row as { pid: number }).pid);
  };
  const [first] = await until('it reads', async () => {
    const running = await copies();
    return running.length > 0 && running;
  });
  worker.kill('SIGSTOP');
  const next = await startChild('work', environment);
  const seen = await until(
    'the next statement',
    async () => {
      const running = await copies();
      return running.some((pid) => pid !== first) && running;
    },
    { timeoutMs: 60_000 },
  );
  expect(seen).not.toContain(first);
  expect(next.logged('statement of an ended attempt ended')).toBe(1);
  // The operator's command ends what the primary knows nothing of.
  next.kill('SIGSTOP');
  await command(['exports', 'cancel', id], environment);
  await delay(100);
  expect(await copies()).toEqual([]);
});
