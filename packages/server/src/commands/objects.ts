/** The operator's commands about objects: `seed`, `load`, `purge`. */
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import { EXPORT_TYPES, type ExportType, type LoadCounts } from '@tillroll/contract';
import { forgetKeysOf } from '../exports/idempotency.ts';
import { cancelMerchant, deleteExports, listMerchantExports } from '../exports/upkeep.ts';
import { beginLoad, Loader, type Upload } from '../ingest/load.ts';
import { purgeObjects } from '../ingest/merge.ts';
import { BossQueue } from '../queue/boss-queue.ts';
import { ordersNdjson, paymentsNdjson } from '@tillroll/sample';
import { openStorage } from '../storage/open.ts';
import { exportPrefix } from '../storage/keys.ts';
import { verifyBoundStore } from '../store.ts';
import { endStatements } from './end-statements.ts';
import { checkedId } from './installs.ts';
import { print } from './print.ts';
import { UsageError, withDatabase } from './run.ts';

const READ_BYTES = 256 * 1024;

function checkedType(text: string): ExportType {
  const type = EXPORT_TYPES.find((candidate) => candidate === text);
  if (!type)
    throw new UsageError(
      `--type must be ${EXPORT_TYPES.join(' or ')}; got ${JSON.stringify(text)}`,
    );
  return type;
}

function checkedTime(option: string, text: string): number {
  // A date alone means midnight UTC; a time needs its zone, or it would depend on this machine's.
  const iso = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2}))?$/;
  const time = iso.test(text) ? Date.parse(text) : Number.NaN;
  // Date.parse takes 30 February for 2 March.
  const day = text.slice(0, 10);
  if (!(time >= 0) || new Date(day).toISOString().slice(0, 10) !== day) {
    throw new UsageError(
      `${option} must be an ISO 8601 date or instant such as 2026-01-01 or 2026-01-01T00:00:00Z; got ${JSON.stringify(text)}`,
    );
  }
  return time;
}

async function report(type: ExportType, counts: LoadCounts): Promise<void> {
  const { received, inserted, updated, unchanged, stale } = counts;
  await print(
    `${type}: ${received} received, ${inserted} inserted, ${updated} updated, ${unchanged} unchanged, ${stale} stale\n`,
  );
}

export async function seedCommand(
  options: { merchant: string; orders: string; from: string; to: string; seed: string },
  signal: AbortSignal,
): Promise<void> {
  const merchantId = checkedId('--merchant', options.merchant);
  if (!/^[0-9]{1,8}$/.test(options.orders)) {
    throw new UsageError(
      `--orders must be a whole number from 0 to 99999999; got ${JSON.stringify(options.orders)}`,
    );
  }
  const from = checkedTime('--from', options.from);
  const to = checkedTime('--to', options.to);
  if (to <= from)
    throw new UsageError(`--to must be later than --from; got ${options.from} to ${options.to}`);
  const sample = { merchantId, orders: Number(options.orders), from, to, seed: options.seed };
  const bodies = { ORDERS: ordersNdjson, PAYMENTS: paymentsNdjson };
  await withLoader(signal, async (load) => {
    for (const type of EXPORT_TYPES) {
      const body = unhurried(bodies[type](sample));
      await report(type, await load({ merchantId, type, body, encoding: 'identity' }));
    }
  });
}

type Source = Pick<Upload, 'merchantId' | 'type' | 'body' | 'encoding'>;

/** Loads as the service does, without an install behind it. */
async function withLoader(
  signal: AbortSignal,
  work: (load: (source: Source) => Promise<LoadCounts>) => Promise<void>,
): Promise<void> {
  await withDatabase(signal, async ({ pool }, config) => {
    const loader = new Loader(pool, join(config.dataDir, 'spool'), config);
    try {
      await work(async (source) => {
        const start = await beginLoad(pool, source.merchantId);
        return loader.load({ ...source, ...start, install: null }, signal);
      });
    } finally {
      await loader.close();
    }
  });
}

/** With a turn of the event loop between chunks, so that a signal gets through. */
async function* unhurried(chunks: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) {
    yield chunk;
    await nextTurn();
  }
}

export async function loadCommand(
  file: string,
  options: { merchant: string; type: string },
  signal: AbortSignal,
): Promise<void> {
  const merchantId = checkedId('--merchant', options.merchant);
  const type = checkedType(options.type);
  await withLoader(signal, async (load) => {
    const body: Readable =
      file === '-' ? process.stdin : createReadStream(file, { highWaterMark: READ_BYTES });
    // A pipe or a file says nothing of its encoding: gzip tells itself by its first bytes.
    await report(type, await load({ merchantId, type, body, encoding: 'detect' }));
  });
}

/** The longest wait for a worker to notice that its export was canceled: ten times what it needs. */
const WORKER_WAIT_MS = 30_000;
const WORKER_POLL_MS = 200;

/**
 * Deletes all of a merchant: its objects, and every export that may hold some of them. Uploads under
 * way are refused when they come to be merged. Interrupted, it can be run again.
 */
export async function purgeCommand(
  options: { merchant: string },
  signal: AbortSignal,
): Promise<void> {
  const merchantId = checkedId('--merchant', options.merchant);
  await withDatabase(signal, async (database, config) => {
    const { connection, pool } = database;
    const { storage } = await openStorage(config.storage);
    await verifyBoundStore(pool, storage);
    const queue = await BossQueue.open(connection, { works: false, onError: () => undefined });
    try {
      const objects = await purgeObjects(pool, merchantId);
      // An export that began before has a snapshot of what is gone now.
      await endStatements(database, config, await cancelMerchant(pool, merchantId));
      const exports = await listMerchantExports(pool, merchantId);
      await untilIdle(queue, exports, signal);
      // Files before records: what is interrupted still finds what is left.
      for (const { id } of exports) await storage.removePrefix(exportPrefix(id));
      await forgetKeysOf(pool, merchantId);
      const deleted = await deleteExports(
        pool,
        exports.map(({ id }) => id),
      );
      await print(`${objects} objects and ${deleted} exports deleted\n`);
    } finally {
      await queue.close(1000);
    }
  });
}

/**
 * Waits until no worker writes files for these canceled exports. A worker that does not answer any
 * more is not waited for: when it wakes up, it finds its export gone and removes what it wrote.
 */
async function untilIdle(
  queue: BossQueue,
  exports: readonly { jobId: string }[],
  signal: AbortSignal,
): Promise<void> {
  const deadline = performance.now() + WORKER_WAIT_MS;
  for (const { jobId } of exports) {
    while (performance.now() < deadline && (await queue.findRun(jobId))?.state === 'active')
      await pause(WORKER_POLL_MS, undefined, { signal });
  }
}
