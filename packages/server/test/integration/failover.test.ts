import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Api } from './api.ts';
import { makeNode, makeSwitch, type Node, type Switch } from './node.ts';
import { FROM, TO } from './place.ts';
import { command, endChildren, startChild, type Child } from './process.ts';
import { until } from './until.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const MERCHANT = 'M1';

let primary: Node;
let standby: Node;
let proxy: Switch;
let dataDir: string;
let service: Child;
let api: Api;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'tillroll-failover-'));
  primary = await makeNode({ settings: { wal_level: 'replica', max_wal_senders: '5' } });
  await primary.start();
  await primary.administer('CREATE DATABASE tills');
  standby = await primary.standby();
  proxy = await makeSwitch(primary.port);
  const environment = {
    DATABASE_URL: `postgres://admin@127.0.0.1:${proxy.port}/tills`,
    PORT: '0',
    TILLROLL_DATA_DIR: dataDir,
    TILLROLL_MAX_OPEN_EXPORTS: '100000',
    TILLROLL_MAX_OPEN_EXPORTS_PER_MERCHANT: '100000',
  };
  service = await startChild('serve', environment);
  const token = await command(
    ['install', '--merchant', MERCHANT, '--app', 'app', '--permissions', 'ORDERS_R'],
    environment,
  );
  api = new Api(service.url, MERCHANT, token);
});

afterEach(async () => {
  await endChildren();
  await proxy.close();
  await standby.remove();
  await primary.remove();
  await rm(dataDir, { recursive: true, force: true });
});

async function ready(): Promise<number> {
  return (await fetch(`${service.url}/ready`)).status;
}

/** Creates exports, several at a time so that all pooled connections are used, and counts the answers. */
async function createMany(count: number): Promise<Map<number, number>> {
  const statuses = new Map<number, number>();
  await Promise.all(
    Array.from({ length: count }, async () => {
      const response = await api.post(FROM, TO);
      if (response.status === 503) expect(response.headers.get('retry-after')).toMatch(/^[0-9]+$/);
      statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
    }),
  );
  return statuses;
}

/** Checks that the standby holds what the primary held. */
async function caughtUp(): Promise<void> {
  const { rows } = await primary.administer('SELECT pg_current_wal_lsn()::text AS lsn');
  await until('the standby has caught up', async () => {
    const { rows: replayed } = await standby.administer(
      `SELECT pg_last_wal_replay_lsn() >= '${(rows[0] as { lsn: string }).lsn}' AS done`,
    );
    return (replayed[0] as { done: boolean }).done;
  });
}

async function exportsOn(node: Node): Promise<number> {
  const { rows } = await node.administer(
    'SELECT count(*)::int AS count FROM tillroll.exports',
    'tills',
  );
  return (rows[0] as { count: number }).count;
}

test('a node that becomes read-only under open connections: no 500, and the next node is used', async () => {
  expect(await createMany(20)).toEqual(new Map([[200, 20]]));
  expect(await ready()).toBe(200);
  await caughtUp();

  // Fences the old primary as tools for failover do: its sessions stay.
  await primary.administer("ALTER SYSTEM SET default_transaction_read_only = 'on'");
  await primary.administer('SELECT pg_reload_conf()');
  await until('it is fenced', async () => {
    const { rows } = await primary.administer('SHOW default_transaction_read_only');
    return (
      (rows[0] as { default_transaction_read_only: string }).default_transaction_read_only === 'on'
    );
  });

  const meanwhile = await createMany(20);
  expect(meanwhile).toEqual(new Map([[503, 20]]));
  await until('it is not ready', async () => (await ready()) === 503);
  const refused = await fetch(`${service.url}/ready`);
  expect(await refused.json()).toEqual({
    message: '503 Service Unavailable',
    details: 'Not ready; try again',
  });

  const before = await exportsOn(primary);
  await standby.administer('SELECT pg_promote()');
  proxy.target = standby.port;
  await until('it is ready', async () => (await ready()) === 200);
  expect(await createMany(30)).toEqual(new Map([[200, 30]]));
  expect(await exportsOn(standby)).toBe(before + 30);
  expect(await exportsOn(primary)).toBe(before);
  // The reasons are in the log, once for each change and not for each probe.
  expect(service.logged('not ready: the database cannot be used')).toBe(1);
  expect(service.logged('ready: the database can be written to')).toBe(1);
});

test('a switch to the next node while the first is read-only: creates go through, without an error', async () => {
  await createMany(20);
  await caughtUp();
  await standby.administer('SELECT pg_promote()');
  await until('it is promoted', async () => {
    const { rows } = await standby.administer('SELECT pg_is_in_recovery() AS r');
    return !(rows[0] as { r: boolean }).r;
  });
  await primary.administer("ALTER SYSTEM SET default_transaction_read_only = 'on'");
  proxy.target = standby.port;
  await primary.administer('SELECT pg_reload_conf()');
  // Its open connections all lead to the old node: each create leaves its own and is tried again.
  const statuses = await createMany(30);
  expect([...statuses.keys()].filter((status) => status !== 200)).toEqual([]);
});

test('a service that only reads leaves a node that became read-only: polls do not grow stale', async () => {
  const { id } = await api.create(FROM, TO);
  for (let i = 0; i < 20; i++) await api.read(id);
  await caughtUp();
  await standby.administer('SELECT pg_promote()');
  await until('it is promoted', async () => {
    const { rows } = await standby.administer('SELECT pg_is_in_recovery() AS r');
    return !(rows[0] as { r: boolean }).r;
  });
  proxy.target = standby.port;
  await primary.administer("ALTER SYSTEM SET default_transaction_read_only = 'on'");
  await primary.administer('SELECT pg_reload_conf()');
  await standby.administer('UPDATE tillroll.exports SET percent_complete = 42', 'tills');
  await until('polls come from the new node', async () => {
    return (await api.read(id)).percentComplete === 42;
  });
  for (let i = 0; i < 20; i++) expect((await api.read(id)).percentComplete).toBe(42);
});

test('a node that is killed: 503 and then the next node', async () => {
  await createMany(20);
  await caughtUp();
  await primary.stop('SIGKILL');
  expect(await createMany(10)).toEqual(new Map([[503, 10]]));
  await until('it is not ready', async () => (await ready()) === 503);
  await standby.administer('SELECT pg_promote()');
  proxy.target = standby.port;
  await until('it is ready', async () => (await ready()) === 200);
  expect(await createMany(10)).toEqual(new Map([[200, 10]]));
});

test('a PostgreSQL that is stopped: every answer comes, /ready at once, and it recovers', async () => {
  await createMany(20);
  await primary.signalAll('SIGSTOP');
  const statuses = createMany(20);
  // A probe answers the last result, and so never waits for the database.
  await until('it is not ready', async () => (await ready()) === 503, { timeoutMs: 30_000 });
  expect((await fetch(`${service.url}/v3/availability`)).status).toBe(200);
  expect([...(await statuses).keys()]).toEqual([503]);
  await primary.signalAll('SIGCONT');
  await until('it is ready', async () => (await ready()) === 200);
  expect(await createMany(10)).toEqual(new Map([[200, 10]]));
});

test("an administrator's terminate costs nobody an answer", async () => {
  await createMany(20);
  const terminating = (async () => {
    for (let round = 0; round < 5; round++) {
      await primary.administer(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'tills'",
      );
    }
  })();
  const statuses = await createMany(60);
  await terminating;
  // An answer to COMMIT that is lost is never tried again: it may have held.
  expect([...statuses.keys()].filter((status) => status !== 200 && status !== 503)).toEqual([]);
  expect(statuses.get(200) ?? 0).toBeGreaterThan(0);
  await until('it is ready', async () => (await ready()) === 200);
  expect(await createMany(10)).toEqual(new Map([[200, 10]]));
});
