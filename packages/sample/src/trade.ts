/** Generates orders with their payments. */
import type { Order, Payment } from '@tillroll/contract';
import { billFor } from './bill.ts';
import { createIds } from './ids.ts';
import { visit } from './line-items.ts';
import { makeMerchant } from './merchant.ts';
import { checkOptions, type SampleOptions } from './options.ts';
import { orderFrom } from './order.ts';
import { paymentsFor, type Till } from './payment.ts';
import { createRandom, wordsFrom } from './prng.ts';
import { tradeTimes } from './times.ts';

export interface Trade {
  order: Order;
  payments: Payment[];
}

function* trades({ merchantId, orders, from, to, seed }: SampleOptions): Generator<Trade> {
  const tuple = [merchantId, orders, from, to, String(seed)] as const;
  const random = createRandom(wordsFrom('trade', ...tuple));
  const nextId = createIds(wordsFrom('ids', ...tuple));
  const merchant = makeMerchant(merchantId);
  const till: Till = { merchant, random, nextId, to };
  for (const createdTime of tradeTimes(orders, from, to, random)) {
    const head = {
      id: nextId(),
      createdTime,
      employee: random.pick(merchant.employees),
      device: random.pick(merchant.devices),
    };
    const guests = visit(random);
    const bill = billFor(guests, { id: head.id, createdTime, to }, merchant, random, nextId);
    const payments = paymentsFor(head, guests, bill, till);
    yield { order: orderFrom(head, guests, bill, payments, till), payments };
  }
}

/**
 * Yields each order together with its payments, orders by ascending `createdTime`: the same for the
 * same options, anywhere and always. Every `createdTime` is in [from, to). A payment's
 * `modifiedTime` is its closeout, up to a day later: trade that ends in the future is not for
 * loading, which refuses what was modified more than a day from now.
 * @throws RangeError when an option is out of bounds.
 */
export function generateTrade(options: SampleOptions): Generator<Trade> {
  checkOptions(options);
  return trades(options);
}
