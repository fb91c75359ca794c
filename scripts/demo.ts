/**
 * `npm run demo`: the main job from nothing. Starts the service in a throw-away directory, loads half a
 * year of a generated merchant's trade, fetches all of it with `tillroll pull` into a DuckDB file, and
 * asks that file three questions. Whatever ends it, nothing of it keeps running.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { removeEmbeddedPostgres } from '@tillroll/postgres';
import { pullWithCommand } from './client-process.ts';
import { showAnswers } from './demo-queries.ts';
import { runCommand, startServer } from './server-process.ts';

const MERCHANT = 'DEMO';
const ORDERS = 25_000;
const FROM = '2025-01-01';
const TO = '2025-07-01';
const OUT = join('data', 'demo');

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => interrupted.abort(new Error('interrupted')));
}

async function demo(directory: string): Promise<void> {
  const started = performance.now();
  const { signal } = interrupted;
  const environment = { TILLROLL_DATA_DIR: directory, TILLROLL_LOG_LEVEL: 'warn' };
  console.log('Starting Tillroll with a PostgreSQL of its own ...');
  const server = await startServer('all', environment, join(directory, 'service.log'), signal);
  try {
    const permissions = 'ORDERS_R,PAYMENTS_R';
    const install = [
      'install',
      '--merchant',
      MERCHANT,
      '--app',
      'DEMO',
      '--permissions',
      permissions,
    ];
    const token = await runCommand(install, environment, signal);
    console.log(`Loading ${ORDERS} orders and their payments, ${FROM} to ${TO} ...`);
    const span = ['--from', `${FROM}T00:00:00Z`, '--to', `${TO}T00:00:00Z`];
    const seed = ['seed', '--merchant', MERCHANT, '--orders', String(ORDERS), ...span];
    await runCommand(seed, environment, signal);

    const pull = ['pull', '--from', FROM, '--to', TO, '--out', OUT, '--format', 'duckdb'];
    console.log(`\n$ tillroll ${pull.join(' ')}`);
    // Always from nothing: the service is another one each time.
    await rm(OUT, { recursive: true, force: true });
    const connection = {
      TILLROLL_URL: server.url,
      TILLROLL_MERCHANT: MERCHANT,
      TILLROLL_TOKEN: token,
    };
    await pullWithCommand(pull, connection, signal);
  } finally {
    await server.stop();
  }
  await showAnswers(join(OUT, 'sales.duckdb'));
  console.log(
    `\nDone in ${((performance.now() - started) / 1000).toFixed(1)} s. The file is yours: ${OUT}/sales.duckdb`,
  );
}

const directory = await mkdtemp(join(tmpdir(), 'tillroll-demo-'));
try {
  await demo(directory);
} catch (error) {
  await rm(OUT, { recursive: true, force: true });
  console.error(interrupted.signal.aborted ? 'Interrupted; nothing is left behind.' : error);
  process.exitCode = interrupted.signal.aborted ? 130 : 1;
} finally {
  await removeEmbeddedPostgres(directory);
  await rm(directory, { recursive: true, force: true });
}
