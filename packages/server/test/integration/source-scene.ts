/** A primary and what exports read beside it: a standby, another database, another system. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { readConfig } from '../../src/config/config.ts';
import { createLogger } from '../../src/log.ts';
import { startService, type Overrides } from '../../src/service.ts';
import { Api, download, parseIds, type Exported } from './api.ts';
import { makeNode, type Node } from './node.ts';
import { FROM, TO } from './place.ts';
import { command, endChildren } from './process.ts';
import { until } from './until.ts';

export const MERCHANT = 'M1';
/** Waits that a test can wait for. */
export const BRIEF: Overrides = { retryDelayMs: () => 50, behindMs: 400 };

/** Columns of `tillroll.exports` that say how an export went. */
export interface Course {
  status: string;
  attempt: number;
  errors: number;
  interruptions: number;
  code: string | null;
  position: string | null;
}

/** A primary with an empty database `tills`, from which a service and its source are made. */
export interface SourceScene {
  readonly directory: string;
  readonly primary: Node;
  /** Removes at the end what a test made. */
  addEnd(end: () => Promise<unknown>): void;
  environment(source: string, database?: string): Record<string, string>;
  /** Starts a service in this process. @returns a merchant's view of it. */
  start(settings: Record<string, string>, overrides?: Overrides): Promise<Api>;
  readExport(id: string, node?: Node): Promise<Course>;
  /** Creates an export that has failed six times already: two more, and it is FAILED. @returns it once it has ended. */
  exportAfterErrors(api: Api, node: Node): Promise<Exported>;
  remove(): Promise<void>;
}

export async function makeSourceScene(): Promise<SourceScene> {
  const directory = await mkdtemp(join(tmpdir(), 'tillroll-source-'));
  const ends: (() => Promise<unknown>)[] = [];
  ends.push(() => rm(directory, { recursive: true, force: true }));
  const primary = await makeNode({
    settings: { wal_level: 'replica', max_wal_senders: '5', hot_standby: 'on' },
  });
  ends.push(() => primary.remove());
  await primary.start();
  await primary.administer('CREATE DATABASE tills');
  return {
    directory,
    primary,
    addEnd: (end) => ends.push(end),
    environment: (source, database = primary.url('tills')) => ({
      DATABASE_URL: database,
      TILLROLL_SOURCE_DATABASE_URL: source,
      PORT: '0',
      TILLROLL_DATA_DIR: directory,
    }),
    async start(settings, overrides = {}) {
      const service = await startService(
        readConfig({ TILLROLL_GRACE: '2s', ...settings }),
        { serve: true, work: true },
        createLogger('silent'),
        new AbortController().signal,
        overrides,
      );
      ends.push(() => service.stop());
      return new Api(service.url ?? '', MERCHANT, await installLoader(settings));
    },
    async exportAfterErrors(api, node) {
      const { id } = await api.create(FROM, TO);
      await node.administer(`UPDATE tillroll.exports SET errors = 6 WHERE id = '${id}'`, 'tills');
      return api.ended(id);
    },
    async readExport(id, node = primary) {
      const { rows } = await node.administer(
        `SELECT status, attempt, errors, interruptions, failure_code AS code, wal_position::text AS position
         FROM tillroll.exports WHERE id = '${id}'`,
        'tills',
      );
      return rows[0] as Course;
    },
    async remove() {
      await endChildren();
      for (const end of ends.splice(0).toReversed()) await end();
    },
  };
}

/** Installs an app that loads and exports orders. @returns its token. */
export function installLoader(settings: Record<string, string>): Promise<string> {
  return command(
    ['install', '--merchant', MERCHANT, '--app', 'app', '--permissions', 'ORDERS_R,ORDERS_W'],
    settings,
  );
}

/** Loads small orders over HTTP, in the first seconds of the range. */
export async function load(api: Api, prefix: string, count: number): Promise<void> {
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

/** Counts the distinct objects of an export that is DONE. */
export async function countObjects(exported: Exported): Promise<number> {
  expect(exported).toMatchObject({ status: 'DONE' });
  return new Set(parseIds(await download(exported))).size;
}

/** Makes both relations of a platform in a database that has nothing of ours, with orders. */
export async function makePlatform(node: Node, orders: number): Promise<void> {
  await node.administer('CREATE DATABASE shop');
  await node.administer(
    `CREATE SCHEMA tillroll;
     CREATE TABLE tillroll.orders (merchant_id text, id text COLLATE "C", created_time bigint, object text);
     CREATE TABLE tillroll.payments (LIKE tillroll.orders)`,
    'shop',
  );
  await insertOrders(node, 'p', orders);
}

/** Writes orders as a platform does, without us. */
export async function insertOrders(node: Node, prefix: string, count: number): Promise<void> {
  await node.administer(
    `INSERT INTO tillroll.orders SELECT '${MERCHANT}', '${prefix}' || n, ${FROM} + n,
       json_build_object('id', '${prefix}' || n) FROM generate_series(1, ${count}) n`,
    'shop',
  );
}

export async function promote(node: Node): Promise<void> {
  await node.administer('SELECT pg_promote()');
  await until('it is promoted', async () => {
    const { rows } = await node.administer('SELECT NOT pg_is_in_recovery() AS done');
    return (rows[0] as { done: boolean }).done;
  });
}

/** Waits until a standby has replayed all that its primary has written. */
export async function catchUp(standby: Node, primary: Node): Promise<void> {
  const { rows } = await primary.administer('SELECT pg_current_wal_lsn()::text AS lsn');
  const { lsn } = rows[0] as { lsn: string };
  await until('the standby has caught up', async () => {
    const replayed = await standby.administer(
      `SELECT pg_last_wal_replay_lsn() >= '${lsn}' AS done`,
    );
    return (replayed.rows[0] as { done: boolean }).done;
  });
}

/** Counts the COPY statements that run on a server. */
export async function countCopies(node: Node): Promise<number> {
  const { rows } = await node.administer(
    "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'COPY%' AND state = 'active'",
  );
  return rows.length;
}
