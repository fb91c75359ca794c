/** Measures requests that wait, and polls that are answered 304. */
import { readFile } from 'node:fs/promises';
import { Agent } from 'undici';
import { startServer, startWorker, type ServerProcess } from '../../scripts/server-process.ts';
import { FROM, TO } from '../export.ts';
import { median } from '../measure.ts';
import { report } from '../report.ts';
import { installApp, type Bench } from '../service.ts';
import { requestsPerSecond } from './load.ts';

const INSTALLS = 40;
const WAITERS_EACH = 25;

async function readMemoryMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? Number.NaN) / 1024;
}

interface Waited {
  token: string;
  path: string;
}

async function createOne(api: ServerProcess, merchant: string, bench: Bench): Promise<Waited> {
  const token = await installApp(bench, merchant);
  const path = `/v3/merchants/${merchant}/exports`;
  const response = await fetch(api.url + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
    body: JSON.stringify({ type: 'ORDERS', startTime: FROM, endTime: TO }),
  });
  const { id } = (await response.json()) as { id: string };
  return { token, path: `${path}/${id}` };
}

/** A thousand requests that wait for forty exports, from several addresses, until a worker comes. */
export async function measureWaiting(bench: Bench): Promise<void> {
  const environment = { ...bench.environment, TILLROLL_MAX_OPEN_EXPORTS: '1000' };
  const api = await startServer('serve', environment, bench.logFile);
  const agents = Array.from(
    { length: 8 },
    (_, n) => new Agent({ connect: { localAddress: `127.0.0.${n + 2}` }, connections: 200 }),
  );
  try {
    const exports: Waited[] = [];
    for (let n = 0; n < INSTALLS; n++) exports.push(await createOne(api, `WAITED${n}`, bench));
    const before = await readMemoryMb(api.pid);
    const lateness: number[] = [];
    const waiting = Array.from({ length: INSTALLS * WAITERS_EACH }, async (_, n) => {
      const { token, path } = exports[n % INSTALLS] as Waited;
      const dispatcher = agents[n % agents.length] as Agent;
      const { statusCode, body } = await dispatcher.request({
        origin: api.url,
        path: `${path}?wait=60`,
        method: 'GET',
        headers: { authorization: `Bearer ${token}` },
        headersTimeout: 90_000,
      });
      const answer = (await body.json()) as { status: string; modifiedTime: number };
      if (statusCode !== 200 || answer.status !== 'DONE')
        throw new Error(`a waiter was answered ${statusCode} ${answer.status}`);
      lateness.push(Date.now() - answer.modifiedTime);
    });
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    const grown = (await readMemoryMb(api.pid)) - before;
    const worker = await startWorker(environment, bench.logFile);
    try {
      await Promise.all(waiting);
    } finally {
      await worker.stop();
    }
    report(
      `memory of ${waiting.length} requests that wait`,
      `${grown.toFixed(0)} MB`,
      'below 60 MB',
      grown < 60,
    );
    const latest = Math.max(...lateness);
    report(
      'from the end of an export to the answer of the last that waited for it',
      `${latest} ms`,
      'within 1000 ms',
      latest <= 1000,
    );
  } finally {
    await Promise.all(agents.map((agent) => agent.destroy()));
    await api.stop();
  }
}

/** Polls of a DONE export of 30 files with the ETag that it has, against those without. */
export async function measureNotModified(
  bench: Bench,
  url: string,
  merchant: string,
  rounds: number,
): Promise<void> {
  const token = await installApp(bench, merchant);
  const headers = { authorization: `Bearer ${token}` };
  const path = `/v3/merchants/${merchant}/exports`;
  const worker = await startWorker(bench.environment, bench.logFile);
  const created = await fetch(url + path, {
    method: 'POST',
    headers,
    body: JSON.stringify({ type: 'ORDERS', startTime: FROM, endTime: TO }),
  });
  const { id } = (await created.json()) as { id: string };
  const done = await fetch(`${url}${path}/${id}?wait=60`, { headers });
  await done.arrayBuffer();
  await worker.stop();
  const known = { ...headers, 'if-none-match': done.headers.get('etag') ?? '' };
  const ratios: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    const full = await requestsPerSecond(`${url}${path}/${id}`, headers, 50, 3);
    const none = await requestsPerSecond(`${url}${path}/${id}`, known, 50, 3, 304);
    if (round > 0) ratios.push(none.perSecond / full.perSecond);
  }
  const ratio = median(ratios);
  report(
    'polls of a DONE export that are answered 304, against full answers',
    `${ratio.toFixed(2)} times the rate`,
    'at least 1.3 times',
    ratio >= 1.3,
  );
}
