/** Measures several worker processes beside one: on shared cores, and on a source that is slow. */
import { setTimeout as delay } from 'node:timers/promises';
import { ExportClient } from '@tillroll/client';
import { TcpProxy } from '../chaos/faults/tcp-proxy.ts';
import { runCommand, startServer, startWorker } from '../scripts/server-process.ts';
import { FROM, TO } from './export.ts';
import { median, seconds } from './measure.ts';
import { report } from './report.ts';
import { createBench, installApp, psqlEnvironment, removeBench, type Bench } from './service.ts';

const ORDERS = 50_000;
const EXPORTS = 20;
/** Exports of the slow source, where each takes about 15 s. */
const FEW_EXPORTS = 4;
const SOURCE_BYTES_PER_SECOND = 5_000_000;
const POLL_MS = 100;
const BOUND_MS = 10 * 60_000;

export async function measureWorkers(rounds: number): Promise<void> {
  const bench = await createBench();
  Object.assign(bench.environment, {
    TILLROLL_MAX_OPEN_EXPORTS: '100',
    TILLROLL_MAX_OPEN_EXPORTS_PER_MERCHANT: '100',
  });
  const api = await startServer('serve', bench.environment, bench.logFile);
  try {
    const client = await connect(bench, api.url, 'MERCHANT');
    await measureProcesses(bench, client, rounds);
    await measureSlowSource(bench, client);
  } finally {
    await api.stop();
    await removeBench(bench);
  }
}

/** Two processes with one export each against one process with two. */
async function measureProcesses(bench: Bench, client: ExportClient, rounds: number): Promise<void> {
  const ratios: number[] = [];
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const one = await withWorkers(bench, [{ TILLROLL_WORKERS: '2' }], () =>
      seconds(() => exportSome(client, EXPORTS)),
    );
    const two = await withWorkers(bench, [{}, {}], () =>
      seconds(() => exportSome(client, EXPORTS)),
    );
    ratios.push(two / one);
    times.push(two);
  }
  const ratio = median(ratios);
  report(
    `${EXPORTS} exports of ${ORDERS} orders by two worker processes, against one with two at once`,
    `${ratio.toFixed(2)} times (${median(times).toFixed(2)} s)`,
    'at most 1.1 times',
    ratio <= 1.1,
  );
}

/** Four processes against one, where each connection to the source has a limited rate. */
async function measureSlowSource(bench: Bench, client: ExportClient): Promise<void> {
  const { PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE } = await psqlEnvironment(bench);
  await using link = await TcpProxy.start(`${PGHOST}/.s.PGSQL.${PGPORT}`);
  link.state = { bytesPerSecond: SOURCE_BYTES_PER_SECOND };
  const source = {
    TILLROLL_SOURCE_DATABASE_URL: `postgres://${PGUSER}:${PGPASSWORD}@127.0.0.1:${link.port}/${PGDATABASE}`,
  };
  const one = await withWorkers(bench, [source], () =>
    seconds(() => exportSome(client, FEW_EXPORTS)),
  );
  const four = await withWorkers(bench, [source, source, source, source], () =>
    seconds(() => exportSome(client, FEW_EXPORTS)),
  );
  const ratio = one / four;
  report(
    `four worker processes on a source of 5 MB/s a connection, against one`,
    `${ratio.toFixed(2)} times as fast (${four.toFixed(2)} s)`,
    'at least 3.5 times',
    ratio >= 3.5,
  );
}

async function withWorkers<T>(
  bench: Bench,
  environments: readonly Record<string, string>[],
  work: () => Promise<T>,
): Promise<T> {
  const workers = await Promise.all(
    environments.map((own) => startWorker({ ...bench.environment, ...own }, bench.logFile)),
  );
  try {
    return await work();
  } finally {
    await Promise.all(workers.map((worker) => worker.stop()));
  }
}

async function exportSome(client: ExportClient, count: number): Promise<void> {
  const ids: string[] = [];
  for (let i = 0; i < count; i++)
    ids.push((await client.create({ type: 'ORDERS', startTime: FROM, endTime: TO })).id);
  const until = performance.now() + BOUND_MS;
  for (const id of ids) {
    for (;;) {
      const { status } = await client.show(id);
      if (status === 'DONE') break;
      if (status === 'FAILED' || performance.now() > until)
        throw new Error(`export ${id}: ${status}`);
      await delay(POLL_MS);
    }
  }
}

async function connect(bench: Bench, url: string, merchant: string): Promise<ExportClient> {
  const span = ['--from', new Date(FROM).toISOString(), '--to', new Date(TO).toISOString()];
  const seed = ['seed', '--merchant', merchant, '--orders', String(ORDERS), ...span];
  await runCommand(seed, bench.environment);
  return new ExportClient({ url, merchant, token: await installApp(bench, merchant) });
}
