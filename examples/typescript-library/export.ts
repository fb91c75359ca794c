/**
 * All orders or payments of a span of time, with `@tillroll/client`, as JSON lines. The library cuts
 * the span, waits, tries again, downloads and checks; what is left is what to do with each object.
 * Node 24 or newer runs it as it is:
 *   TILLROLL_URL=... TILLROLL_MERCHANT=... TILLROLL_TOKEN=... \
 *     node export.ts ORDERS 2026-01-01 2026-03-01 out/
 */
import { createWriteStream } from 'node:fs';
import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import {
  ExportClient,
  ExportError,
  type Order,
  type Payment,
  type Waiting,
} from '@tillroll/client';

const [type = '', from = '', to = '', out = '', ...more] = process.argv.slice(2);
const { TILLROLL_URL: url, TILLROLL_MERCHANT: merchant, TILLROLL_TOKEN: token } = process.env;
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort());

function usage(problem: string): never {
  console.error(`${problem} (usage: export.ts TYPE FROM TO OUT)`);
  process.exit(2);
}

if (!url || !merchant || !token)
  usage('TILLROLL_URL, TILLROLL_MERCHANT and TILLROLL_TOKEN must be set');
if (out === '' || more.length > 0) usage('four arguments are needed');
if (type !== 'ORDERS' && type !== 'PAYMENTS') usage('TYPE must be ORDERS or PAYMENTS');

const sums = new Map<string, bigint>();
let count = 0;

function onWaiting({ message, until }: Waiting): void {
  console.error(`${message}; again at ${new Date(until).toISOString()}`);
}

/** Each object once, in order, and only from files that were checked to their end. */
async function* lines(client: ExportClient): AsyncGenerator<string, void, void> {
  const span = { from, to, signal: stop.signal, onWaiting };
  for await (const object of type === 'ORDERS' ? client.orders(span) : client.payments(span)) {
    // A payment that failed or was voided brought no money.
    const { currency = '?', total, amount, result }: Partial<Order & Payment> = object;
    const money = type === 'ORDERS' ? total : result === 'SUCCESS' ? amount : 0;
    sums.set(currency, (sums.get(currency) ?? 0n) + BigInt(money ?? 0));
    count++;
    yield `${JSON.stringify(object)}\n`;
  }
}

try {
  const client = new ExportClient({ url, merchant, token });
  await mkdir(out, { recursive: true });
  const name = join(out, `${type.toLowerCase()}.jsonl`);
  await pipeline(lines(client), createWriteStream(`${name}.part`));
  await rename(`${name}.part`, name); // what has the name is whole
  // A file for each month, resumable and with a receipt, is one call as well:
  // await client.pull({ types: [type], from, to, out, signal: stop.signal });

  console.log(`${count} objects`);
  const member = type === 'ORDERS' ? 'total' : 'amount';
  for (const currency of [...sums.keys()].toSorted())
    console.log(`sum of ${member}: ${sums.get(currency)} ${currency}`);
} catch (error) {
  if (error instanceof ExportError && error.code === 'USAGE') usage(error.message);
  console.error(`export.ts: ${error instanceof Error ? error.message : String(error)}`);
  if (error instanceof ExportError && error.hint !== undefined) console.error(error.hint);
  process.exitCode = 1;
}
