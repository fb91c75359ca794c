import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { ExportClient } from '@tillroll/client';
import {
  cells,
  EXPORT_TYPES,
  type ExportObject,
  type ExportType,
  type TimeRange,
} from '@tillroll/contract';
import { removeEmbeddedPostgres } from '../packages/server/src/database/embedded/index.ts';
import { createDisplay, type Display } from './demo-display.ts';
import { runCommand, startServer } from './server-process.ts';

/**
 * `npm run demo`: the main job from nothing. Starts the service in a throw-away directory, loads half a
 * year of a generated merchant's trade, exports all of it through the public API, checks every file
 * against its checksum, and shows what came out. Whatever ends it, nothing of it keeps running.
 */

const MERCHANT = 'DEMO';
const ORDERS = 25_000;
const SPAN: TimeRange = { startTime: Date.UTC(2025, 0, 1), endTime: Date.UTC(2025, 6, 1) };
const OUT = join('data', 'demo');

interface RangeResult {
  range: TimeRange;
  type: ExportType;
  objects: number;
  files: number;
  bytes: number;
  seconds: number;
}

interface Totals {
  /** By currency, in minor units. */
  orders: Map<string, number>;
  payments: Map<string, number>;
}

interface Priced {
  currency?: string;
  total?: number;
  amount?: number;
}

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => interrupted.abort(new Error('interrupted')));
}

function add(sums: Map<string, number>, currency = '?', amount = 0): void {
  sums.set(currency, (sums.get(currency) ?? 0) + amount);
}

/** Downloads a finished export into `directory`, each file checked against what the service promised. */
async function downloadAll(
  client: ExportClient,
  exported: ExportObject,
  directory: string,
  totals: Totals,
): Promise<number> {
  await mkdir(directory, { recursive: true });
  const promised = exported.files?.elements ?? [];
  const urls = exported.exportUrls?.elements ?? [];
  let objects = 0;
  for (const [position, { url }] of urls.entries()) {
    const { text } = await client.download(url, interrupted.signal);
    const sha256 = createHash('sha256').update(text).digest('hex');
    if (sha256 !== promised[position]?.sha256)
      throw new Error(`file ${position} of ${exported.id} is not as promised`);
    const { elements } = JSON.parse(text) as { elements: Priced[] };
    for (const element of elements) {
      if (exported.type === 'ORDERS') add(totals.orders, element.currency, element.total);
      else add(totals.payments, element.currency, element.amount);
    }
    objects += elements.length;
    await writeFile(join(directory, `${String(position).padStart(4, '0')}.json`), text);
  }
  return objects;
}

async function exportType(
  client: ExportClient,
  type: ExportType,
  out: string,
  totals: Totals,
  display: Display,
): Promise<RangeResult[]> {
  const results: RangeResult[] = [];
  for (const range of cells(SPAN)) {
    const started = performance.now();
    const created = await client.create({ type, ...range }, interrupted.signal);
    const exported = await client.wait(created.id, {
      signal: interrupted.signal,
      onProgress: ({ percentComplete }) =>
        display.progress(type, results.length + percentComplete / 100),
    });
    const name = `${day(range.startTime)}_${day(range.endTime)}`;
    const objects = await downloadAll(
      client,
      exported,
      join(out, type.toLowerCase(), name),
      totals,
    );
    const files = exported.files?.elements ?? [];
    results.push({
      range,
      type,
      objects,
      files: files.length,
      bytes: files.reduce((sum, file) => sum + file.bytes, 0),
      seconds: (performance.now() - started) / 1000,
    });
    display.progress(type, results.length);
  }
  return results;
}

function day(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}

function show(results: RangeResult[], totals: Totals, out: string): void {
  console.table(
    results.map(({ range, type, objects, files, bytes, seconds }) => ({
      range: `${day(range.startTime)} to ${day(range.endTime)}`,
      type,
      objects,
      files,
      bytes,
      seconds: Number(seconds.toFixed(2)),
    })),
  );
  for (const [what, sums] of [
    ['orders', totals.orders],
    ['payments', totals.payments],
  ] as const) {
    for (const [currency, minor] of sums)
      console.log(`Total of ${what}: ${(minor / 100).toFixed(2)} ${currency}`);
  }
  console.log(
    `Every file matches the SHA-256 that the service gave for it. Files: ${relative('.', out)}/`,
  );
}

async function demo(directory: string, part: string): Promise<void> {
  const started = performance.now();
  const environment = { TILLROLL_DATA_DIR: directory, TILLROLL_LOG_LEVEL: 'warn' };
  console.log('Starting Tillroll with a PostgreSQL of its own ...');
  const server = await startServer(
    'all',
    environment,
    join(directory, 'service.log'),
    interrupted.signal,
  );
  try {
    const permissions = 'ORDERS_R,PAYMENTS_R';
    const token = await runCommand(
      ['install', '--merchant', MERCHANT, '--app', 'DEMO', '--permissions', permissions],
      environment,
      interrupted.signal,
    );
    console.log(
      `Loading ${ORDERS} orders and their payments, ${day(SPAN.startTime)} to ${day(SPAN.endTime)} ...`,
    );
    const span = [
      '--from',
      new Date(SPAN.startTime).toISOString(),
      '--to',
      new Date(SPAN.endTime).toISOString(),
    ];
    await runCommand(
      ['seed', '--merchant', MERCHANT, '--orders', String(ORDERS), ...span],
      environment,
      interrupted.signal,
    );
    console.log(`Exporting through ${server.url}, at most 30 days a request ...`);
    const client = new ExportClient({ url: server.url, merchant: MERCHANT, token });
    const totals: Totals = { orders: new Map(), payments: new Map() };
    const display = createDisplay(EXPORT_TYPES, [...cells(SPAN)].length);
    let results: RangeResult[];
    try {
      results = (
        await Promise.all(
          EXPORT_TYPES.map((type) => exportType(client, type, part, totals, display)),
        )
      ).flat();
    } finally {
      display.stop();
    }
    await rm(OUT, { recursive: true, force: true });
    await rename(part, OUT);
    show(results, totals, OUT);
    console.log(`Done in ${((performance.now() - started) / 1000).toFixed(1)} s.`);
  } finally {
    await server.stop();
  }
}

const directory = await mkdtemp(join(tmpdir(), 'tillroll-demo-'));
const part = `${OUT}.part`;
try {
  await rm(part, { recursive: true, force: true });
  await demo(directory, part);
} catch (error) {
  console.error(interrupted.signal.aborted ? 'Interrupted; nothing is left behind.' : error);
  process.exitCode = interrupted.signal.aborted ? 130 : 1;
} finally {
  await rm(part, { recursive: true, force: true });
  await removeEmbeddedPostgres(directory);
  await rm(directory, { recursive: true, force: true });
}
