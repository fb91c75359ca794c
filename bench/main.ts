/** `npm run bench`: every figure measured side by side in one run, one table. See docs/bench.md. */
import { createReadStream, createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ExportClient } from '@tillroll/client';
import { ordersNdjson } from '@tillroll/sample';
import { runCommand, startServer, startWorker } from '../scripts/server-process.ts';
import { measureChanges, measureTotals } from './changes.ts';
import { measureClient } from './client/index.ts';
import { digestOfExport, digestOfShell, exportByShell, exportOrders, FROM, TO } from './export.ts';
import { hasPsql, median, peakMemoryMb, run, seconds, shell } from './measure.ts';
import { measurePollsBesideExports } from './polls/beside-exports.ts';
import { measurePolls } from './polls/index.ts';
import { measureNotModified, measureWaiting } from './polls/waiting.ts';
import { printReport, report, reportMemory } from './report.ts';
import { measureWorkers } from './workers.ts';
import { measureStorage } from './storage.ts';
import { createBench, installApp, psqlEnvironment, removeBench, type Bench } from './service.ts';

const LARGE = Number(process.env['BENCH_ORDERS'] ?? 300_000);
const SMALL = LARGE / 10;
/** Objects beside which a few changes are found. */
const MANY = Math.ceil((LARGE * 10) / 3);
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 5);
const MERCHANTS = { large: 'LARGE', small: 'SMALL' } as const;

const psql = await hasPsql();
const NO_PSQL = 'psql is not on this machine: not measured';

async function startUp(bench: Bench): Promise<void> {
  const times: number[] = [];
  for (let round = 0; round < 1 + ROUNDS; round++) {
    const started = performance.now();
    const server = await startServer('all', bench.environment, bench.logFile);
    times.push((performance.now() - started) / 1000);
    await server.stop();
  }
  const [first = Number.NaN, ...later] = times;
  report('start to ready, new data directory', `${first.toFixed(2)} s`, 'under 3 s', first < 3);
  const again = median(later);
  report(
    'start to ready, existing data directory',
    `${again.toFixed(2)} s`,
    'under 1.5 s',
    again < 1.5,
  );
}

async function seed(bench: Bench): Promise<void> {
  const span = ['--from', new Date(FROM).toISOString(), '--to', new Date(TO).toISOString()];
  for (const [merchant, orders] of [
    [MERCHANTS.large, LARGE],
    [MERCHANTS.small, SMALL],
  ] as const) {
    await runCommand(
      ['seed', '--merchant', merchant, '--orders', String(orders), ...span],
      bench.environment,
    );
  }
}

async function exporting(bench: Bench, url: string): Promise<void> {
  const client = new ExportClient({
    url,
    merchant: MERCHANTS.large,
    token: await installApp(bench, MERCHANTS.large),
  });
  const worker = await startWorker(bench.environment, bench.logFile);
  try {
    // Both sides warm up once: a service that has just started still compiles its own code.
    let exported = await exportOrders(client);
    if (!psql) {
      const alone = await seconds(() => exportOrders(client));
      report(
        `export of ${LARGE} orders, POST to DONE`,
        `${alone.toFixed(2)} s; ${NO_PSQL}`,
        'ratio at least 2.0',
        null,
      );
      return;
    }
    const env = await psqlEnvironment(bench);
    const directory = join(bench.directory, 'shell');
    // Fresh statistics, or the script's query would be planned blindly and sort on disk.
    await run('psql', ['-qc', 'ANALYZE tillroll.orders'], { env });
    await exportByShell(MERCHANTS.large, directory, env);
    const ratios: number[] = [];
    const ours: number[] = [];
    const theirs: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const a = await seconds(async () => {
        exported = await exportOrders(client);
      });
      const b = await seconds(() => exportByShell(MERCHANTS.large, directory, env));
      ours.push(a);
      theirs.push(b);
      ratios.push(b / a);
    }
    const equal = (await digestOfExport(exported)) === (await digestOfShell(directory));
    const ratio = median(ratios);
    report(
      `export of ${LARGE} orders, POST to DONE, against psql | split | gzip -1`,
      `${ratio.toFixed(2)} times as fast (${median(ours).toFixed(2)} s, ${median(theirs).toFixed(2)} s), outputs ${equal ? 'equal' : 'DIFFERENT'}`,
      'at least 2.0, equal',
      ratio >= 2 && equal,
    );
    // A slow machine is not a fault; a wrong output is.
    if (!equal) process.exitCode = 1;
  } finally {
    await worker.stop();
  }
}

async function memory(bench: Bench, url: string): Promise<void> {
  const peaks: (number | null)[] = [];
  for (const merchant of [MERCHANTS.small, MERCHANTS.large]) {
    const client = new ExportClient({ url, merchant, token: await installApp(bench, merchant) });
    // A new worker for each, or the first would hide behind the second.
    const worker = await startWorker(bench.environment, bench.logFile);
    try {
      await exportOrders(client);
      peaks.push(await peakMemoryMb(worker.pid));
    } finally {
      await worker.stop();
    }
  }
  const [small = null, large = null] = peaks;
  reportMemory('peak memory of the worker', [SMALL, LARGE], [small, large]);
}

async function ingest(bench: Bench, url: string): Promise<void> {
  const file = join(bench.directory, 'orders.ndjson');
  const orders = ordersNdjson({
    merchantId: 'INGEST',
    orders: LARGE,
    from: FROM,
    to: TO,
    seed: 'ingest',
  });
  await pipeline(Readable.from(orders), createWriteStream(file));
  const ratios: number[] = [];
  const times: number[] = [];
  const env = psql ? await psqlEnvironment(bench) : process.env;
  for (let round = 0; round < ROUNDS; round++) {
    const merchant = `INGEST${round}`;
    const token = await installApp(bench, merchant);
    const time = await seconds(() => upload(url, merchant, token, file));
    times.push(time);
    if (!psql) continue;
    await run(
      'psql',
      ['-qc', 'DROP TABLE IF EXISTS public.plain; CREATE TABLE public.plain (line text)'],
      { env },
    );
    // A quote and a delimiter that JSON cannot hold: each line goes in as it is.
    const plain = String.raw`psql -qc "COPY public.plain FROM STDIN (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02')" < '${file}'`;
    ratios.push((await seconds(() => shell(plain, env, bench.directory))) / time);
  }
  const ours = `${median(times).toFixed(2)} s`;
  if (!psql)
    report(`ingest of ${LARGE} orders over HTTP`, `${ours}; ${NO_PSQL}`, 'at least 0.25', null);
  else {
    const ratio = median(ratios);
    report(
      `ingest of ${LARGE} orders over HTTP, against a plain COPY FROM`,
      `${ratio.toFixed(2)} (${ours})`,
      'at least 0.25',
      ratio >= 0.25,
    );
  }
}

async function upload(url: string, merchant: string, token: string, file: string): Promise<void> {
  const response = await fetch(`${url}/v3/merchants/${merchant}/orders/bulk`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/x-ndjson' },
    body: Readable.toWeb(createReadStream(file, { highWaterMark: 256 * 1024 })) as ReadableStream,
    // Node's fetch asks for it with a streamed body; its types do not know it yet.
    ...({ duplex: 'half' } as object),
    signal: AbortSignal.timeout(600_000),
  });
  const counts = (await response.json()) as { inserted?: number };
  if (counts.inserted !== LARGE)
    throw new Error(`ingest answered ${response.status} ${JSON.stringify(counts)}`);
}

/** Parts to measure, of `service`, `polls`, `client`, `changes`, `storage` and `workers`, comma-separated; unset: all. */
const ONLY = process.env['BENCH_ONLY']?.split(',');
const measures = (part: string): boolean => ONLY === undefined || ONLY.includes(part);

const bench = await createBench();
try {
  if (measures('service')) await startUp(bench);
  if (measures('polls')) {
    await measurePolls(bench, ROUNDS);
    await measureWaiting(bench);
    await measurePollsBesideExports(LARGE / 3, ROUNDS);
  }
  if (['service', 'client', 'changes'].some(measures)) await measureData(bench);
  if (measures('changes')) await measureChanges(bench, MANY, ROUNDS);
  if (measures('workers')) await measureWorkers(ROUNDS);
  if (measures('storage')) await measureStorage({ orders: LARGE, rounds: ROUNDS });
} finally {
  await removeBench(bench);
}
printReport();

async function measureData(bench: Bench): Promise<void> {
  const api = await startServer('serve', bench.environment, bench.logFile);
  try {
    await seed(bench);
    if (measures('service')) {
      await exporting(bench, api.url);
      await memory(bench, api.url);
      await ingest(bench, api.url);
    }
    if (measures('changes')) {
      await measureTotals(bench, MERCHANTS.large, ROUNDS);
      await measureNotModified(bench, api.url, MERCHANTS.large, ROUNDS);
    }
    if (measures('client'))
      await measureClient(bench, api.url, { large: LARGE, rounds: ROUNDS, merchants: MERCHANTS });
  } finally {
    await api.stop();
  }
}
