/** Reads orders back: from the files of a pull, and from the client's iterator. */

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { Order } from '@tillroll/contract';
import type { Scene } from './scene.ts';

/** Reads the ids in a directory's files of orders, month by month. None where nothing was pulled. */
export async function orderIds(out: string): Promise<string[]> {
  const ids: string[] = [];
  for (const name of (await readdir(join(out, 'orders')).catch((): string[] => [])).toSorted()) {
    const bytes = await readFile(join(out, 'orders', name));
    const lines = (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8').split('\n');
    for (const line of lines.slice(0, -1)) ids.push((JSON.parse(line) as Order).id);
  }
  return ids;
}

export async function iterateOrders(
  scene: Scene,
  span: { from: number; to: number },
): Promise<Order[]> {
  const orders: Order[] = [];
  for await (const order of scene.client().orders(span)) orders.push(order);
  return orders;
}

export async function readLines(scene: Scene, name: string): Promise<string[]> {
  const text = await readFile(join(scene.out, `${name}.jsonl`), 'utf8');
  return text.split('\n').slice(0, -1);
}

export const parseOrders = (texts: readonly string[]): Order[] =>
  texts.map((text) => JSON.parse(text) as Order);
