import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { readConfig } from '../../src/config/config.ts';
import { createLogger } from '../../src/log.ts';
import { startService, type Overrides } from '../../src/service.ts';
import { Api, download, parseIds, type Exported } from './api.ts';
import { makeNode, makeSwitch, type Node } from './node.ts';
import { FROM, TO } from './place.ts';
import { command } from './process.ts';
import { until } from './until.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const MERCHANT = 'M1';
const REPLICATION = { wal_level: 'replica', max_wal_senders: '5', hot_standby: 'on' };
/** A wait that a test can wait for. */
const BRIEF: Overrides = { retryDelayMs: () => 50, behindMs: 400 };

let directory: string;
let primary: Node;
const ends: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tillroll-source-'));
  ends.push(() => rm(directory, { recursive: true, force: true }));
  primary = await makeNode({ settings: REPLICATION });
  ends.push(() => primary.remove());
  await primary.start();
  await primary.administer('CREATE DATABASE tills');
});

afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

function environment(database: string, source: string): Record<string, string> {
  return {
    DATABASE_URL: database,
    TILLROLL_SOURCE_DATABASE_URL: source,
    PORT: '0',
    TILLROLL_DATA_DIR: directory,
  };
}

/** Starts a service in this process, which the test's end stops. */
async function start(settings: Record<string, string>, overrides: Overrides = {}): Promise<Api> {
  const service = await startService(
    readConfig({ TILLROLL_GRACE: '2s', ...settings }),
    { serve: true, work: true },
    createLogger('silent'),
    new AbortController().signal,
    overrides,
  );
  ends.push(() => service.stop());
  const token = await command(
    ['install', '--merchant', MERCHANT, '--app', 'app', '--permissions', 'ORDERS_R,ORDERS_W'],
    settings,
  );
  return new Api(service.url ?? '', MERCHANT, token);
}

async function load(api: Api, prefix: string, count: number): Promise<void> {
  const lines = Array.from({ length: count }, (_, i) =>
    JSON.stringify({ id: `${prefix}${i}`, createdTime: FROM + i }),
  );
  const answer = await api.fetch('/orders/bulk', {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: lines.join('\n'),
  });
  if (answer.status !== 200) throw new Error(await answer.text());
}

async function countObjects(exported: Exported): Promise<number> {
  expect(exported.status).toBe('DONE');
  return new Set(parseIds(await download(exported))).size;
}

async function readExport(id: string, node = primary): Promise<Record<string, unknown>> {
  const { rows } = await node.administer(
    `SELECT status, attempt, errors, interruptions, failure_code AS code
     FROM tillroll.exports WHERE id = '${id}'`,
    'tills',
  );
  return rows[0] as Record<string, unknown>;
}

async function promote(node: Node): Promise<void> {
  await node.administer('SELECT pg_promote()');
  await until('it is promoted', async () => {
    const { rows } = await node.administer('SELECT NOT pg_is_in_recovery() AS done');
    return (rows[0] as { done: boolean }).done;
  });
}

describe('a standby', () => {
  let standby: Node;

  beforeEach(async () => {
    standby = await primary.standby();
    ends.push(() => standby.remove());
  });

  test('an export waits until the standby has what was committed before', async () => {
    const api = await start(environment(primary.url('tills'), standby.url('tills')));
    await load(api, 'early', 10);
    expect(await countObjects(await api.export(FROM, TO))).toBe(10);

    await standby.administer('SELECT pg_wal_replay_pause()');
    await load(api, 'late', 10);
    const { id } = await api.create(FROM, TO);
    await until('a worker took it', async () => (await api.read(id)).status === 'IN_PROGRESS');
    await delay(1_500);
    expect((await api.read(id)).status).toBe('IN_PROGRESS');
    await standby.administer('SELECT pg_wal_replay_resume()');

    expect(await countObjects(await api.ended(id))).toBe(20);
    expect(await readExport(id)).toMatchObject({ attempt: 1, errors: 0, interruptions: 0 });
  });

  test('that stays behind: the export fails, and says so', async () => {
    const api = await start(environment(primary.url('tills'), standby.url('tills')), BRIEF);
    await load(api, 'early', 10);
    await standby.administer('SELECT pg_wal_replay_pause()');
    const ended = await api.export(FROM, TO);
    expect(ended.failure?.code).toBe('SOURCE_BEHIND');
    await standby.administer('SELECT pg_wal_replay_resume()');
    expect(await countObjects(await api.export(FROM, TO))).toBe(10);
  });

  test('that was promoted beside its primary never gives an export again', async () => {
    const api = await start(environment(primary.url('tills'), standby.url('tills')), BRIEF);
    await load(api, 'early', 10);
    expect(await countObjects(await api.export(FROM, TO))).toBe(10);
    await promote(standby);
    await load(api, 'late', 10);
    expect((await api.export(FROM, TO)).failure?.code).toBe('SOURCE_BEHIND');
  });

  test('that became the primary: exports go on', async () => {
    const proxy = await makeSwitch(primary.port);
    ends.push(() => proxy.close());
    const url = `postgres://admin@127.0.0.1:${proxy.port}/tills`;
    const api = await start(environment(url, standby.url('tills')), { retryDelayMs: () => 50 });
    await load(api, 'early', 10);
    expect(await countObjects(await api.export(FROM, TO))).toBe(10);
    await primary.stop();
    await promote(standby);
    proxy.target = standby.port;
    await until('loads go on', async () => {
      await load(api, 'late', 10).catch(() => delay(200));
      return (await api.post(FROM, TO)).status === 200;
    });
    expect(await countObjects(await api.export(FROM, TO))).toBe(20);
  });

  test('a recovery conflict is an interruption, not an error', async () => {
    await standby.administer("ALTER SYSTEM SET max_standby_streaming_delay = '0'");
    await standby.administer('SELECT pg_reload_conf()');
    const api = await start(environment(primary.url('tills'), standby.url('tills')));
    await load(api, 'o', 300);
    await primary.administer(
      `ALTER TABLE tillroll.orders RENAME TO orders_table;
       CREATE VIEW tillroll.orders AS SELECT merchant_id, id, created_time, modified_time, currency, total,
         CASE WHEN pg_sleep(0.01) IS NOT NULL THEN object END AS object FROM tillroll.orders_table`,
      'tills',
    );
    const { id } = await api.create(FROM, TO);
    await until('the standby reads', async () => {
      const { rows } = await standby.administer(
        "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'COPY%' AND state = 'active'",
      );
      return rows.length > 0;
    });
    await primary.administer('UPDATE tillroll.orders_table SET modified_time = 1', 'tills');
    await primary.administer('VACUUM tillroll.orders_table', 'tills');

    expect(await countObjects(await api.ended(id))).toBe(300);
    expect(await readExport(id)).toMatchObject({ errors: 0, interruptions: 1 });
  });

  test('that is away: the export is tried again until it is back', async () => {
    const api = await start(environment(primary.url('tills'), standby.url('tills')));
    await load(api, 'o', 10);
    await standby.stop();
    const { id } = await api.create(FROM, TO);
    await until('a try failed', async () => Number((await readExport(id))['interruptions']) > 0);
    await standby.start();
    expect(await countObjects(await api.ended(id))).toBe(10);
  });
});

test('another system: it is read, nothing is waited for, and nothing of ours is in it', async () => {
  const platform = await makeNode();
  ends.push(() => platform.remove());
  await platform.start();
  await platform.administer('CREATE DATABASE shop');
  await platform.administer(
    `CREATE SCHEMA tillroll;
     CREATE TABLE tillroll.orders (merchant_id text, id text COLLATE "C", created_time bigint, object text);
     INSERT INTO tillroll.orders
       SELECT '${MERCHANT}', 'p' || n, ${FROM} + n, json_build_object('id', 'p' || n) FROM generate_series(1, 30) n`,
    'shop',
  );
  const api = await start(environment(primary.url('tills'), platform.url('shop')), BRIEF);
  await load(api, 'ours', 10);
  expect(await countObjects(await api.export(FROM, TO))).toBe(30);
  const { rows } = await platform.administer(
    "SELECT count(*)::int AS relations FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname LIKE 'tillroll%'",
    'shop',
  );
  expect(rows).toEqual([{ relations: 1 }]);
});
