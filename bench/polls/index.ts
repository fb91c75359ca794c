/** Measures polls of the service against a bare Fastify route. */
import { ExportClient } from '@tillroll/client';
import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { startServer } from '../../scripts/server-process.ts';
import { FROM, TO } from '../export.ts';
import { median } from '../measure.ts';
import { report } from '../report.ts';
import { installApp, type Bench } from '../service.ts';
import { requestsPerSecond } from './load.ts';

const MERCHANT = 'POLLED';
const CONNECTIONS = 50;
const ROUND_SECONDS = 3;

/** A bare Fastify route in a process of its own. */
async function startBare(): Promise<{ url: string; stop(): Promise<void> }> {
  const child = spawn(
    process.execPath,
    [fileURLToPath(new URL('bare-route.ts', import.meta.url))],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const exited = once(child, 'exit');
  const [line] = (await once(createInterface({ input: child.stdout }), 'line', {
    signal: AbortSignal.timeout(30_000),
  })) as [string];
  return {
    url: line.replace(/^ready /, ''),
    async stop() {
      child.kill();
      await exited;
    },
  };
}

/**
 * Polls of an open export on 50 connections, with a log line for each and the database asked each time,
 * against a bare Fastify route that gives the same answer. No worker may run: the export stays PENDING.
 */
export async function measurePolls(bench: Bench, rounds: number): Promise<void> {
  const token = await installApp(bench, MERCHANT);
  const headers = { authorization: `Bearer ${token}` };
  // The bench is silent to spare the disk; here the log is part of what is measured.
  const environment = { ...bench.environment, TILLROLL_LOG_LEVEL: 'info' };
  const service = await startServer('serve', environment, bench.logFile);
  const bare = await startBare();
  try {
    const client = new ExportClient({ url: service.url, merchant: MERCHANT, token });
    const { id } = await client.create({ type: 'ORDERS', startTime: FROM, endTime: TO });
    const path = `/v3/merchants/${MERCHANT}/exports/${id}`;
    const polls: number[] = [];
    const slowest: number[] = [];
    const ratios: number[] = [];
    // The first round warms both sides up.
    for (let round = 0; round <= rounds; round++) {
      const theirs = await requestsPerSecond(bare.url + path, headers, CONNECTIONS, ROUND_SECONDS);
      const ours = await requestsPerSecond(service.url + path, headers, CONNECTIONS, ROUND_SECONDS);
      if (round === 0) continue;
      polls.push(ours.perSecond);
      slowest.push(ours.p99Ms);
      ratios.push(ours.perSecond / theirs.perSecond);
    }
    const ratio = median(ratios);
    report(
      `polls on ${CONNECTIONS} connections against a bare Fastify route`,
      `${ratio.toFixed(2)} (${median(polls).toFixed(0)} a second, p99 ${median(slowest).toFixed(0)} ms)`,
      'at least 0.25',
      ratio >= 0.25,
    );
  } finally {
    await bare.stop();
    await service.stop();
  }
}
