/** Writes generated trade as NDJSON. */
import type { Order, Payment } from '@tillroll/contract';
import type { SampleOptions } from './options.ts';
import { generateTrade, type Trade } from './trade.ts';

const CHUNK_BYTES = 256 * 1024;
/** Of UTF-8, for each of the units that a string's length counts. */
const MOST_BYTES = 3;

function* chunks(objects: Iterable<object>): Generator<Uint8Array, void, void> {
  let chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  let used = 0;
  for (const object of objects) {
    const line = `${JSON.stringify(object)}\n`;
    const most = line.length * MOST_BYTES;
    if (used + most > chunk.length) {
      if (used > 0) yield chunk.subarray(0, used);
      chunk = Buffer.allocUnsafe(Math.max(CHUNK_BYTES, most));
      used = 0;
    }
    // Line by line: one emoji in a long string would make all of it slow to encode.
    used += chunk.write(line, used);
  }
  if (used > 0) yield chunk.subarray(0, used);
}

function* generateOrders(trades: Iterable<Trade>): Generator<Order> {
  for (const { order } of trades) yield order;
}

function* generatePayments(trades: Iterable<Trade>): Generator<Payment> {
  for (const { payments } of trades) yield* payments;
}

/** The orders of `generateTrade`, one a line, in chunks of about 256 kB that end at a line's end. */
export function ordersNdjson(options: SampleOptions): Generator<Uint8Array, void, void> {
  return chunks(generateOrders(generateTrade(options)));
}

/** The payments of `generateTrade`, in the order of their orders. */
export function paymentsNdjson(options: SampleOptions): Generator<Uint8Array, void, void> {
  return chunks(generatePayments(generateTrade(options)));
}
