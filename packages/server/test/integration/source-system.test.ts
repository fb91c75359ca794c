import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Api } from './api.ts';
import { makeNode, type Node } from './node.ts';
import { FROM, TO } from './place.ts';
import { command, startChild } from './process.ts';
import {
  BRIEF,
  countObjects,
  installLoader,
  load,
  makePlatform,
  makeSourceScene,
  MERCHANT,
  type SourceScene,
} from './source-scene.ts';
import { until } from './until.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let scene: SourceScene;
let platform: Node;

beforeEach(async () => {
  scene = await makeSourceScene();
  platform = await makeNode({ settings: { wal_level: 'replica', max_wal_senders: '5' } });
  scene.addEnd(() => platform.remove());
  await platform.start();
  await makePlatform(platform, 30);
  await platform.administer('CREATE ROLE reader LOGIN');
  await platform.administer(
    'GRANT USAGE ON SCHEMA tillroll TO reader; GRANT SELECT ON tillroll.orders, tillroll.payments TO reader',
    'shop',
  );
});

afterEach(() => scene.remove());

async function listRelations(): Promise<string[]> {
  const { rows } = await platform.administer(
    `SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname LIKE 'tillroll%' ORDER BY 1`,
    'shop',
  );
  return rows.map((row) => (row as { name: string }).name);
}

test('another system is read by a role that may do nothing else, and gets nothing of ours', async () => {
  const environment = scene.environment(platform.url('shop', 'reader'));
  await command(['migrate'], environment);
  const api = await scene.start(environment, BRIEF);
  await load(api, 'ours', 10);
  expect(await countObjects(await api.export(FROM, TO))).toBe(30);
  expect(await countObjects(await api.export(FROM, TO, 'ORDERS'))).toBe(30);
  await command(['purge', '--merchant', MERCHANT], environment);
  expect(await countObjects(await api.export(FROM, TO))).toBe(30);
  expect(await listRelations()).toEqual(['orders', 'payments']);
});

test('a standby of another system is not waited for, however far behind it is', async () => {
  const standby = await platform.standby();
  scene.addEnd(() => standby.remove());
  await standby.administer('SELECT pg_wal_replay_pause()');
  const api = await scene.start(scene.environment(standby.url('shop', 'reader')), BRIEF);
  expect(await countObjects(await api.export(FROM, TO))).toBe(30);
});

test('another database of the same server is not waited for', async () => {
  await makePlatform(scene.primary, 30);
  const api = await scene.start(scene.environment(scene.primary.url('shop')), BRIEF);
  expect(await countObjects(await api.export(FROM, TO))).toBe(30);
});

test.for([
  [
    'a database that is not there',
    () => platform.url('nowhere'),
    /database \\"nowhere\\" does not exist/,
  ],
  [
    'a relation that is not there',
    () => platform.url('postgres'),
    /relation \\"tillroll.orders\\" does not exist/,
  ],
] as const)(
  '%s: one line at the start, and the reason with the export',
  async ([, url, reason]) => {
    const environment = scene.environment(url());
    const child = await startChild('all', environment);
    const api = new Api(child.url, MERCHANT, await installLoader(environment));
    const line = child
      .log()
      .split('\n')
      .find((each) => each.includes('exports cannot be read'));
    expect(line).toMatch(reason);
    const { id } = await api.create(FROM, TO);
    await until('a try failed', async () => (await scene.readExport(id)).errors > 0);
    expect(child.logged('exports cannot be read')).toBe(1);
  },
);
