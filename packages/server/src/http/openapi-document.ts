import { parseHours } from '@tillroll/contract';
import { createPool } from '../database/pool.ts';
import { Cursors } from '../exports/cursor.ts';
import { PollReader } from '../exports/poll.ts';
import { ExportWatch, WATCH_LIMITS } from '../exports/watch.ts';
import { Loader } from '../ingest/load.ts';
import { createLogger } from '../log.ts';
import { ReceiptSigner } from '../receipts/signer.ts';
import { UNOBSERVED } from '../observer.ts';
import { UrlSigner } from '../storage/signature.ts';
import { DirectoryStorage } from '../storage/directory.ts';
import { createApp } from './app.ts';
import { Turns } from './turns.ts';

/**
 * The OpenAPI document, made from the routes themselves. Nothing is started: the parts that the routes
 * are given here are never used.
 */
export async function openApiDocument(): Promise<object> {
  const nowhere = createPool({ connectionString: 'postgres://nowhere' }, 1, () => undefined);
  const app = await createApp({
    pool: nowhere,
    turns: new Turns({ known: 1, strangers: 1 }),
    polls: new PollReader(nowhere),
    watch: new ExportWatch(nowhere, WATCH_LIMITS, () => undefined),
    receipts: new ReceiptSigner(() => Promise.resolve([])),
    rateLimits: null,
    cursors: new Cursors('never used'),
    hasChanges: () => Promise.resolve(false),
    measure: () => Promise.resolve({ objects: 0, meanBytes: 0 }),
    loader: new Loader(nowhere, '/nowhere', { maxUploads: 1, maxSpoolBytes: 1, minFreeBytes: 1 }),
    queue: { enqueueRun: () => Promise.resolve(), enqueueExpiry: () => Promise.resolve() },
    storage: new DirectoryStorage('/nowhere'),
    presign: null,
    signer: new UrlSigner(['never used']),
    rules: {
      region: 'sandbox',
      hours: parseHours('always'),
      maxOpenExports: 1,
      maxOpenExportsPerMerchant: 1,
      maxOpenExportsPerApp: null,
    },
    publicUrl: () => '',
    connections: { connections: 1, perAddress: 1 },
    trustedProxies: [],
    observer: UNOBSERVED,
    log: createLogger('silent'),
    now: () => 0,
    isReady: () => true,
  });
  const document = app.swagger();
  await app.close();
  return document;
}
