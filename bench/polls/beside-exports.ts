/** Measures polls of `all` while its worker runs exports, against polls of the same service at rest. */
import { setTimeout as delay } from 'node:timers/promises';
import { ExportClient } from '@tillroll/client';
import { Pool } from 'undici';
import { runCommand, startServer } from '../../scripts/server-process.ts';
import { exportOrders, FROM, TO } from '../export.ts';
import { median } from '../measure.ts';
import { report } from '../report.ts';
import { createBench, installApp, removeBench } from '../service.ts';

const EXPORTS = 2;
/** Between two polls: a client that waits, not one that measures the service's throughput. */
const PAUSE_MS = 5;
/** The least time of each part of a round. */
const ROUND_MS = 5_000;

/** Median and 99th percentile of times, ms. */
interface Latency {
  medianMs: number;
  p99Ms: number;
}

function summarize(times: readonly number[]): Latency {
  const sorted = times.toSorted((a, b) => a - b);
  return { medianMs: median(times), p99Ms: sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN };
}

/** @param orders of each of the exports. */
export async function measurePollsBesideExports(orders: number, rounds: number): Promise<void> {
  const bench = await createBench();
  bench.environment['TILLROLL_WORKERS'] = String(EXPORTS);
  const merchants = Array.from({ length: EXPORTS }, (_, i) => `BUSY${i}`);
  const span = ['--from', new Date(FROM).toISOString(), '--to', new Date(TO).toISOString()];
  const service = await startServer('all', bench.environment, bench.logFile);
  const pool = new Pool(service.url, { connections: 1 });
  try {
    const clients: ExportClient[] = [];
    for (const merchant of merchants) {
      const seed = ['seed', '--merchant', merchant, '--orders', String(orders), ...span];
      await runCommand(seed, bench.environment);
      const token = await installApp(bench, merchant);
      clients.push(new ExportClient({ url: service.url, merchant, token }));
    }
    const merchant = 'POLLED';
    await runCommand(
      ['seed', '--merchant', merchant, '--orders', '1000', ...span],
      bench.environment,
    );
    const token = await installApp(bench, merchant);
    const polled = await exportOrders(new ExportClient({ url: service.url, merchant, token }));
    const path = `/v3/merchants/${merchant}/exports/${polled.id}`;
    const poll = (until: () => boolean): Promise<number[]> =>
      pollUntil(pool, path, { authorization: `Bearer ${token}` }, until);

    const idle: number[] = [];
    const busy: number[] = [];
    // The first round warms both processes up.
    for (let round = 0; round <= rounds; round++) {
      const rested = performance.now();
      const atRest = await poll(() => performance.now() - rested > ROUND_MS);
      const started = performance.now();
      let running = clients.length;
      const exporting = clients.map(async (client) => {
        do await exportOrders(client);
        while (performance.now() - started < ROUND_MS);
        running--;
      });
      // From the first export that ends for good, fewer run than are to be measured.
      const [beside] = await Promise.all([poll(() => running < clients.length), ...exporting]);
      if (round === 0) continue;
      idle.push(...atRest);
      busy.push(...beside);
    }
    judge(summarize(idle), summarize(busy), busy.length);
  } finally {
    await pool.close();
    await service.stop();
    await removeBench(bench);
  }
}

function judge(idle: Latency, busy: Latency, count: number): void {
  const ratio = busy.medianMs / idle.medianMs;
  const format = (ms: number): string => `${ms.toFixed(1)} ms`;
  report(
    `a poll beside ${EXPORTS} exports in \`all\`: median`,
    `${ratio.toFixed(2)} times idle (${format(busy.medianMs)}, ${format(idle.medianMs)}; ${count} polls)`,
    'at most 3 times',
    ratio <= 3,
  );
  const bound = Math.max(5 * idle.p99Ms, 50);
  report(
    'the same: p99',
    `${(busy.p99Ms / idle.p99Ms).toFixed(2)} times idle (${format(busy.p99Ms)}, ${format(idle.p99Ms)})`,
    'at most 5 times, or 50 ms',
    busy.p99Ms <= bound,
  );
}

/** Polls one after the other. @returns the time of each, ms. */
async function pollUntil(
  pool: Pool,
  path: string,
  headers: Record<string, string>,
  isOver: () => boolean,
): Promise<number[]> {
  const times: number[] = [];
  while (!isOver()) {
    const before = performance.now();
    const { statusCode, body } = await pool.request({ path, method: 'GET', headers });
    await body.dump();
    if (statusCode !== 200) throw new Error(`${path} answered ${statusCode}`);
    times.push(performance.now() - before);
    await delay(PAUSE_MS);
  }
  return times;
}
