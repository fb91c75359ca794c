/** Makes the throw-away data directory and token of a bench. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import { removeEmbeddedPostgres } from '@tillroll/postgres';
import { runCommand } from '../scripts/server-process.ts';

/** A throw-away data directory and what a measurement needs to know of it. */
export interface Bench {
  directory: string;
  environment: Record<string, string>;
  logFile: string;
}

export async function createBench(): Promise<Bench> {
  const directory = await mkdtemp(join(tmpdir(), 'tillroll-bench-'));
  return {
    directory,
    environment: {
      TILLROLL_DATA_DIR: directory,
      TILLROLL_LOG_LEVEL: 'warn',
      TILLROLL_MAX_OPEN_EXPORTS_PER_MERCHANT: '10',
    },
    logFile: join(directory, 'service.log'),
  };
}

export async function removeBench({ directory }: Bench): Promise<void> {
  await removeEmbeddedPostgres(directory);
  await rm(directory, { recursive: true, force: true });
}

/** A token for a merchant with every permission. */
export async function installApp({ environment }: Bench, merchant: string): Promise<string> {
  const permissions = 'ORDERS_R,PAYMENTS_R,ORDERS_W,PAYMENTS_W';
  return runCommand(
    ['install', '--merchant', merchant, '--app', 'BENCH', '--permissions', permissions],
    environment,
  );
}

/** Connection settings of the service's own PostgreSQL, for pg. */
export async function readConnection(bench: Bench): Promise<pg.ClientConfig> {
  const { PGHOST: host, PGPORT, PGUSER: user, PGPASSWORD: password } = await psqlEnvironment(bench);
  return { host, port: Number(PGPORT), user, password, database: 'tillroll', ssl: false };
}

/** Connection settings with which psql reaches the service's own PostgreSQL. */
export async function psqlEnvironment({ directory }: Bench): Promise<NodeJS.ProcessEnv> {
  const state = JSON.parse(await readFile(join(directory, 'postgres.json'), 'utf8')) as Record<
    string,
    string | number
  >;
  return {
    ...process.env,
    PGHOST: String(state['host']),
    PGPORT: String(state['port']),
    PGUSER: String(state['user']),
    PGPASSWORD: String(state['password']),
    PGDATABASE: 'tillroll',
    PGSSLMODE: 'disable',
  };
}
