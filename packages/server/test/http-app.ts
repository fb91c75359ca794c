import { parseHours } from '@tillroll/contract';
import { pino } from 'pino';
import { readConfig } from '../src/config/config.ts';
import { createPool } from '../src/database/pool.ts';
import { Cursors } from '../src/exports/cursor.ts';
import { PollReader } from '../src/exports/poll.ts';
import { ExportWatch, WATCH_LIMITS } from '../src/exports/watch.ts';
import { Turns } from '../src/http/turns.ts';
import { Loader } from '../src/ingest/load.ts';
import { createApp, type App } from '../src/http/app.ts';
import type { HttpContext } from '../src/http/context.ts';
import { ReceiptSigner } from '../src/receipts/signer.ts';
import { UNOBSERVED } from '../src/observer.ts';
import { DirectoryStorage } from '../src/storage/directory.ts';
import { UrlSigner } from '../src/storage/signature.ts';

export interface ListeningApp {
  readonly app: App;
  readonly url: string;
  /** Lines logged so far. */
  readonly lines: () => Record<string, unknown>[];
}

/**
 * The HTTP side alone, really listening: for what is decided before a database is asked. There is none
 * behind it.
 */
export async function listenApp(
  more: Partial<HttpContext> = {},
  environment: Record<string, string> = {},
): Promise<ListeningApp> {
  const lines: string[] = [];
  const config = readConfig(environment);
  const nowhere = createPool({ connectionString: 'postgres://127.0.0.1:1' }, 1, () => undefined);
  const app = await createApp({
    pool: nowhere,
    turns: new Turns({ known: 10, strangers: 10 }),
    polls: new PollReader(nowhere),
    watch: new ExportWatch(nowhere, WATCH_LIMITS, () => undefined),
    receipts: new ReceiptSigner(() => Promise.resolve([])),
    rateLimits: null,
    cursors: new Cursors('never used'),
    hasChanges: () => Promise.resolve(false),
    measure: () => Promise.resolve({ objects: 0, meanBytes: 0 }),
    loader: new Loader(nowhere, '/nowhere', config),
    queue: { enqueueRun: () => Promise.resolve(), enqueueExpiry: () => Promise.resolve() },
    storage: new DirectoryStorage('/nowhere'),
    presign: null,
    signer: new UrlSigner(['a key of sixteen characters']),
    rules: {
      region: 'sandbox',
      hours: parseHours('always'),
      maxOpenExports: 1,
      maxOpenExportsPerMerchant: 1,
      maxOpenExportsPerApp: null,
    },
    publicUrl: () => config.publicUrl ?? '',
    connections: {
      connections: config.maxConnections,
      perAddress: config.maxConnectionsPerAddress,
    },
    trustedProxies: config.trustedProxies,
    log: pino({ base: null }, { write: (line) => void lines.push(line) }),
    observer: UNOBSERVED,
    now: () => Date.now(),
    isReady: () => true,
    ...more,
  });
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  return {
    app,
    url,
    lines: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>),
  };
}
