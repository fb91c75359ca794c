import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { EXPORT_TYPES, type ExportType, type LoadCounts } from '@tillroll/contract';
import { storageDirectory } from '../config.ts';
import { databaseNow } from '../database/clock.ts';
import type { Pool } from '../database/pool.ts';
import { oneLine } from '../errors.ts';
import { endStatement, type ExportStatement } from '../exports/statements.ts';
import {
  cancelExport,
  cancelMerchant,
  deleteExports,
  exportIdsOfMerchant,
} from '../exports/upkeep.ts';
import { deleteMerchantObjects, load } from '../ingest/load.ts';
import { ordersNdjson, paymentsNdjson } from '../sample/index.ts';
import { DirectoryStorage } from '../storage/directory.ts';
import { exportPrefix } from '../storage/keys.ts';
import { verifyBoundStore } from '../store.ts';
import { checkedId } from './installs.ts';
import { print } from './print.ts';
import { UsageError, withDatabase } from './run.ts';

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
  await withDatabase(signal, async ({ pool }, config) => {
    const spool = join(config.dataDir, 'spool');
    const bodies = { ORDERS: ordersNdjson, PAYMENTS: paymentsNdjson };
    for (const type of EXPORT_TYPES) {
      await report(
        type,
        await load(
          pool,
          spool,
          { merchantId, type, now: await databaseNow(pool) },
          buffers(bodies[type](sample)),
          signal,
        ),
      );
    }
  });
}

/** Chunks as Buffers, with a turn of the event loop between them, so that a signal gets through. */
async function* buffers(
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}

const GZIP_MAGIC = Buffer.from([0x1f, 0x8b]);

/** The bytes of a file or of stdin (`-`), inflated when they begin like gzip. */
async function* contentOf(file: string): AsyncGenerator<Buffer> {
  const raw: Readable =
    file === '-' ? process.stdin : createReadStream(file, { highWaterMark: 256 * 1024 });
  const source = raw[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  const first = await source.next();
  if (first.done) return;
  const whole = Readable.from(
    (async function* () {
      yield first.value;
      for (let next = await source.next(); !next.done; next = await source.next()) yield next.value;
    })(),
    { objectMode: false },
  );
  const zipped = first.value.subarray(0, 2).equals(GZIP_MAGIC);
  if (!zipped) {
    yield* whole as AsyncIterable<Buffer>;
    return;
  }
  const gunzip = createGunzip();
  whole.once('error', (error) => gunzip.destroy(error));
  try {
    yield* whole.pipe(gunzip) as AsyncIterable<Buffer>;
  } catch (error) {
    throw new Error(`${file} is not valid gzip, or ends early; nothing of it was stored`, {
      cause: error,
    });
  }
}

export async function loadCommand(
  file: string,
  options: { merchant: string; type: string },
  signal: AbortSignal,
): Promise<void> {
  const merchantId = checkedId('--merchant', options.merchant);
  const type = checkedType(options.type);
  const counts = await withDatabase(signal, async ({ pool }, config) =>
    load(
      pool,
      join(config.dataDir, 'spool'),
      { merchantId, type, now: await databaseNow(pool) },
      contentOf(file),
      signal,
    ),
  );
  await report(type, counts);
}

export async function purgeCommand(
  options: { merchant: string },
  signal: AbortSignal,
): Promise<void> {
  const merchantId = checkedId('--merchant', options.merchant);
  await withDatabase(signal, async ({ pool }, config) => {
    const storage = new DirectoryStorage(storageDirectory(config));
    await verifyBoundStore(pool, storage);
    // Files before records: what is interrupted can be run again and still finds what is left.
    await endStatements(pool, await cancelMerchant(pool, merchantId));
    for (const exportId of await exportIdsOfMerchant(pool, merchantId)) {
      await storage.removePrefix(exportPrefix(exportId));
    }
    const exports = await deleteExports(pool, merchantId);
    const objects = await deleteMerchantObjects(pool, merchantId);
    await print(`${objects} objects and ${exports} exports deleted\n`);
  });
}

export async function cancelCommand(exportId: string, signal: AbortSignal): Promise<void> {
  await withDatabase(signal, async ({ pool }) => {
    const statements = await cancelExport(pool, exportId);
    if (!statements) {
      throw new Error(
        `no open export ${JSON.stringify(exportId.slice(0, 80))}: it is unknown or has ended already`,
      );
    }
    await endStatements(pool, statements);
    await print(`${exportId} canceled\n`);
  });
}

/** Ends what reads for exports that were canceled; the workers may be stopped, or gone. */
async function endStatements(pool: Pool, statements: readonly ExportStatement[]): Promise<void> {
  for (const statement of statements) {
    await endStatement(pool, statement).catch((error: unknown) => {
      process.stderr.write(
        `tillroll-server: a statement of export ${statement.exportId} may still run: ${oneLine(error)}\n`,
      );
    });
  }
}
