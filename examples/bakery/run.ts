/**
 * A till's CSV all the way: converted, loaded over HTTP, exported, and compared month by month with
 * what awk computes from the file itself.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ExportClient } from '@tillroll/client';
import {
  DAY_MS,
  EXPORT_TYPES,
  type ExportType,
  type LoadCounts,
  type Order,
  type Payment,
} from '@tillroll/contract';
import { removeEmbeddedPostgres } from '@tillroll/postgres';
import { runCommand, startServer } from '../../scripts/server-process.ts';
import { convertFile, localMonth } from './convert.ts';

const USAGE = 'usage: node examples/bakery/run.ts --data FILE\n';
const MERCHANT = 'BAKERY';

/** Objects and money (pence) of one month of local time. */
interface Month {
  count: number;
  pence: number;
}
type Months = Map<string, Month>;

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => interrupted.abort(new Error('interrupted')));
}

async function load(url: string, token: string, type: ExportType, file: string): Promise<void> {
  const response = await fetch(`${url}/v3/merchants/${MERCHANT}/${type.toLowerCase()}/bulk`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/x-ndjson' },
    body: await readFile(file),
    signal: interrupted.signal,
  });
  if (!response.ok) throw new Error(`loading ${type} failed: ${await response.text()}`);
  const { received, inserted } = (await response.json()) as LoadCounts;
  console.log(`Loaded ${type}: ${received} received, ${inserted} inserted`);
}

/** Every object of the span, through the public API, added up by month. */
async function exported(
  client: ExportClient,
  type: ExportType,
  span: { startTime: number; endTime: number },
): Promise<Months> {
  const months: Months = new Map();
  const { signal } = interrupted;
  const whole = { from: span.startTime, to: span.endTime, signal };
  for await (const object of type === 'ORDERS' ? client.orders(whole) : client.payments(whole)) {
    const amount = type === 'ORDERS' ? (object as Order).total : (object as Payment).amount;
    const pence = amount ?? 0;
    const month = localMonth(object.createdTime);
    const sum = months.get(month) ?? { count: 0, pence: 0 };
    months.set(month, { count: sum.count + 1, pence: sum.pence + pence });
  }
  return months;
}

/** Sums the file with awk, without Tillroll's code. */
async function byAwk(file: string): Promise<Months> {
  const script = new URL('totals.awk', import.meta.url).pathname;
  const awk = spawn('awk', ['-f', decodeURIComponent(script), file], {
    env: { ...process.env, LC_ALL: 'C' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  awk.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  const [code] = (await once(awk, 'close')) as [number | null];
  if (code !== 0) throw new Error(`awk ended with ${code}`);
  const rows = output
    .trim()
    .split('\n')
    .map((line) => line.split(' '));
  return new Map(
    rows.map(([month = '', count, pence]) => [
      month,
      { count: Number(count), pence: Number(pence) },
    ]),
  );
}

/** Prints both sides. @returns whether they agree to the penny. */
function compare(file: Months, sides: Readonly<Record<ExportType, Months>>): boolean {
  const names = [...new Set([...file.keys(), ...sides.ORDERS.keys(), ...sides.PAYMENTS.keys()])];
  const rows = names.toSorted().map((month) => {
    const [awk, orders, payments] = [file, sides.ORDERS, sides.PAYMENTS].map((side) =>
      side.get(month),
    );
    const equal = [orders, payments].every(
      (side) => side?.count === awk?.count && side?.pence === awk?.pence,
    );
    return {
      month,
      'file (awk)': `${awk?.count} sales, £${((awk?.pence ?? 0) / 100).toFixed(2)}`,
      orders: `${orders?.count}, £${((orders?.pence ?? 0) / 100).toFixed(2)}`,
      payments: `${payments?.count}, £${((payments?.pence ?? 0) / 100).toFixed(2)}`,
      equal,
    };
  });
  console.table(rows);
  return rows.length > 0 && rows.every(({ equal }) => equal);
}

async function bakery(data: string, directory: string): Promise<boolean> {
  const written = await convertFile(data, directory);
  console.log(`Converted ${written.count} sales`);
  const times = (await readFile(written.orders, 'utf8'))
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { createdTime: number }).createdTime);
  const span = {
    startTime: times.reduce((a, b) => Math.min(a, b), Number.MAX_SAFE_INTEGER),
    endTime: times.reduce((a, b) => Math.max(a, b), 0) + 1,
  };
  const environment = { TILLROLL_DATA_DIR: directory, TILLROLL_LOG_LEVEL: 'warn' };
  const { signal } = interrupted;
  const server = await startServer('all', environment, join(directory, 'service.log'), signal);
  try {
    const permissions = 'ORDERS_R,PAYMENTS_R,ORDERS_W,PAYMENTS_W';
    const install = [
      'install',
      '--merchant',
      MERCHANT,
      '--app',
      'TILL',
      '--permissions',
      permissions,
    ];
    const token = await runCommand(install, environment, signal);
    await load(server.url, token, 'ORDERS', written.orders);
    await load(server.url, token, 'PAYMENTS', written.payments);
    console.log(
      `Exporting ${Math.ceil((span.endTime - span.startTime) / DAY_MS)} days through ${server.url} ...`,
    );
    const client = new ExportClient({ url: server.url, merchant: MERCHANT, token });
    const [orders, payments] = await Promise.all(
      EXPORT_TYPES.map((type) => exported(client, type, span)),
    );
    if (!orders || !payments) throw new Error('an export is missing');
    return compare(await byAwk(data), { ORDERS: orders, PAYMENTS: payments });
  } finally {
    await server.stop();
  }
}

async function main(): Promise<number> {
  let data: string | undefined;
  try {
    ({ data } = parseArgs({
      options: { data: { type: 'string' }, help: { type: 'boolean' } },
    }).values);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  }
  if (data === undefined) {
    process.stderr.write(USAGE);
    return 2;
  }
  const directory = await mkdtemp(join(tmpdir(), 'tillroll-bakery-'));
  try {
    const equal = await bakery(data, directory);
    console.log(equal ? 'Equal to the penny, in every month.' : 'NOT EQUAL: see the table.');
    return equal ? 0 : 1;
  } catch (error) {
    if (!interrupted.signal.aborted)
      process.stderr.write(`bakery: ${error instanceof Error ? error.message : String(error)}\n`);
    return interrupted.signal.aborted ? 130 : 1;
  } finally {
    await removeEmbeddedPostgres(directory);
    await rm(directory, { recursive: true, force: true });
  }
}

process.exitCode = await main();
