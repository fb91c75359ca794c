import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { inject } from 'vitest';
import { install } from '../../src/access/installs.ts';
import { readConfig } from '../../src/config/config.ts';
import type { Config } from '../../src/config/settings.ts';
import { migrate } from '../../src/database/migrations.ts';
import { createPool, type Pool } from '../../src/database/pool.ts';
import { beginLoad, Loader } from '../../src/ingest/load.ts';
import type { ExportType, LoadCounts, Permission } from '@tillroll/contract';
import { ordersNdjson } from '@tillroll/sample';

type Environment = Record<string, string>;

/** A fresh database of the run's PostgreSQL, and a fresh data directory beside it. */
export interface Place {
  readonly databaseUrl: string;
  readonly dataDir: string;
  /** The schema is up to date. */
  readonly pool: Pool;
  /** The settings that a service of this place is started with. */
  environment(more?: Environment): Environment;
  config(more?: Environment): Config;
  install(merchantId: string, appId?: string, permissions?: Permission[]): Promise<string>;
  /** Loads objects in-process, through the same path as HTTP. */
  load(merchantId: string, lines: string, type?: ExportType): Promise<LoadCounts>;
  /** Exactly `count` generated orders of about 1.4 kB, in [FROM, TO). */
  seed(merchantId: string, count: number): Promise<void>;
  /** `<export>/<attempt>/<file>` of everything stored. */
  files(): Promise<string[]>;
  /** One row of `tillroll.exports`. */
  row(exportId: string): Promise<ExportRow>;
  remove(): Promise<void>;
}

export interface ExportRow {
  status: string;
  percent: number;
  attempt: number;
  errors: number;
  interruptions: number;
  filesDeleted: boolean;
}

/** The range in which `seed` puts its orders: 30 days exactly. */
export const FROM = Date.UTC(2026, 2, 1);
export const TO = Date.UTC(2026, 2, 31);

const ALL: Permission[] = ['ORDERS_R', 'PAYMENTS_R', 'ORDERS_W', 'PAYMENTS_W'];

export async function makePlace(): Promise<Place> {
  const name = `t_${randomBytes(6).toString('hex')}`;
  await administer(`CREATE DATABASE ${name} TEMPLATE template0`);
  const dataDir = await mkdtemp(join(tmpdir(), 'tillroll-place-'));
  const { host, port, user, password } = inject('cluster');
  const databaseUrl = `postgres://${user}:${password}@/${name}?host=${encodeURIComponent(host)}&port=${port}`;
  // It loads, too, on machines that are busy with other tests.
  const pool = createPool({ connectionString: databaseUrl }, 3, () => undefined, {
    statementMs: 600_000,
    lockMs: 600_000,
  });
  await migrate(pool);
  const environment = (more: Environment = {}): Environment => ({
    DATABASE_URL: databaseUrl,
    PORT: '0',
    TILLROLL_DATA_DIR: dataDir,
    TILLROLL_MAX_OPEN_EXPORTS: '1000',
    TILLROLL_MAX_OPEN_EXPORTS_PER_MERCHANT: '1000',
    ...more,
  });
  const loader = new Loader(pool, join(dataDir, 'spool'), {
    maxUploads: 4,
    maxSpoolBytes: 1024 ** 3,
    minFreeBytes: 0,
  });
  const loadChunks = async (
    merchantId: string,
    type: ExportType,
    chunks: Iterable<Uint8Array>,
  ): Promise<LoadCounts> => {
    const start = await beginLoad(pool, merchantId);
    const body = (async function* () {
      yield* chunks;
    })();
    return loader.load({ ...start, merchantId, type, body, encoding: 'identity', install: null });
  };
  return {
    databaseUrl,
    dataDir,
    pool,
    environment,
    config: (more) => readConfig(environment(more)),
    install: async (merchantId, appId = 'app', permissions = ALL) =>
      (await install(pool, { merchantId, appId, permissions })).token,
    load: (merchantId, lines, type = 'ORDERS') =>
      loadChunks(merchantId, type, [Buffer.from(lines)]),
    async seed(merchantId, orders) {
      const trade = ordersNdjson({ merchantId, orders, from: FROM, to: TO, seed: 1 });
      await loadChunks(merchantId, 'ORDERS', trade);
    },
    files: () => filesBelow(join(dataDir, 'files')),
    async row(exportId) {
      const { rows } = await pool.query<ExportRow>(
        `SELECT status, percent_complete AS percent, attempt, errors, interruptions,
                files_deleted AS "filesDeleted"
         FROM tillroll.exports WHERE id = $1`,
        [exportId],
      );
      const [row] = rows;
      if (!row) throw new Error(`no export ${exportId}`);
      return row;
    },
    async remove() {
      await loader.close();
      await pool.end();
      await administer(`DROP DATABASE ${name} WITH (FORCE)`);
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

async function administer(statement: string): Promise<void> {
  const client = new pg.Client(inject('cluster'));
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

async function filesBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(
    () => [],
  );
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.json.gz'))
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .toSorted();
}
