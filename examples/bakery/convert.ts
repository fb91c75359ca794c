/**
 * Turns a bakery's till file (Date,Time,Transaction,Item) into orders and payments, as NDJSON:
 *
 *     node examples/bakery/convert.ts --data examples/bakery/sample.csv --out /tmp/bakery
 *
 * One order for each transaction, at the time of its first row; one line item for each row; one
 * payment for each order, at the same time and of its total. The file has no prices, so a rule makes
 * them up that needs no table and that totals.awk can repeat: `price` below.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { LineItem, Order, Payment } from '@tillroll/contract';
import { rows, type Lines } from './till.ts';

export { localMonth } from './local-time.ts';

const CURRENCY = 'GBP';

/** An order as `convert` makes it: what the till file knows, and nothing else. */
export interface BakeryOrder extends Order {
  total: number;
  lineItems: { elements: LineItem[] };
}

export interface Converted {
  orders: BakeryOrder[];
  payments: Payment[];
}

/**
 * Pence for one item: 100, and 10 for each byte of its name in UTF-8, spaces at its end included.
 * `NONE` marks a line without an item; it stays a line of the order, at price 0.
 */
export function price(item: string): number {
  return item === 'NONE' ? 0 : 100 + 10 * Buffer.byteLength(item);
}

/** 13 characters, as Clover's ids have. */
function formatId(prefix: 'BB' | 'BP', transaction: number): string {
  return prefix + String(transaction).padStart(11, '0');
}

function makeOrder(transaction: number, createdTime: number): BakeryOrder {
  return {
    id: formatId('BB', transaction),
    currency: CURRENCY,
    total: 0,
    state: 'locked',
    paymentState: 'PAID',
    createdTime,
    modifiedTime: createdTime,
    lineItems: { elements: [] },
  };
}

function makePayment(transaction: number, order: BakeryOrder): Payment {
  return {
    id: formatId('BP', transaction),
    order: { id: order.id },
    currency: CURRENCY,
    amount: order.total,
    result: 'SUCCESS',
    createdTime: order.createdTime,
    modifiedTime: order.modifiedTime,
  };
}

/**
 * Orders in the order of their first rows; the rows of a transaction need not be neighbours, and so
 * all of them are held until the last row is read.
 * @throws SyntaxError that names the first line that is not of the till's form.
 */
export async function convert(csv: Lines): Promise<Converted> {
  const byTransaction = new Map<number, BakeryOrder>();
  for await (const { transaction, time, item } of rows(csv)) {
    const order = byTransaction.get(transaction) ?? makeOrder(transaction, time);
    byTransaction.set(transaction, order);
    const lines = order.lineItems.elements;
    const id = `${order.id}-${lines.length + 1}`;
    lines.push({ id, name: item, price: price(item), createdTime: time });
    order.total += price(item);
  }
  return {
    orders: [...byTransaction.values()],
    payments: [...byTransaction].map(([transaction, order]) => makePayment(transaction, order)),
  };
}

function ndjson(objects: readonly object[]): string {
  return objects.map((object) => `${JSON.stringify(object)}\n`).join('');
}

/** The paths of the two files, and how many objects each holds. */
export interface Written {
  orders: string;
  payments: string;
  count: number;
}

/** Writes `orders.ndjson` and `payments.ndjson` to a directory, which is made when it is missing. */
export async function convertFile(data: string, out: string): Promise<Written> {
  const { orders, payments } = await convert(await readFile(data, 'utf8'));
  await mkdir(out, { recursive: true });
  const files = { orders: join(out, 'orders.ndjson'), payments: join(out, 'payments.ndjson') };
  await writeFile(files.orders, ndjson(orders));
  await writeFile(files.payments, ndjson(payments));
  return { ...files, count: orders.length };
}

const USAGE = 'usage: node examples/bakery/convert.ts --data FILE --out DIR';

async function main(): Promise<number> {
  let args: { data?: string; out?: string; help?: boolean };
  try {
    const options = {
      data: { type: 'string' },
      out: { type: 'string' },
      help: { type: 'boolean' },
    } as const;
    args = parseArgs({ options }).values;
  } catch (error) {
    console.error(`${(error as Error).message}; ${USAGE}`);
    return 2;
  }
  if (args.help) {
    console.log(USAGE);
    return 0;
  }
  if (args.data === undefined || args.out === undefined) {
    console.error(USAGE);
    return 2;
  }
  try {
    const { orders, payments, count } = await convertFile(args.data, args.out);
    console.log(`${count} orders in ${orders}, their payments in ${payments}`);
    return 0;
  } catch (error) {
    console.error((error as Error).message);
    return 1;
  }
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === import.meta.filename) {
  process.exitCode = await main();
}
