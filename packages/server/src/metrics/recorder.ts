/** The observer that counts. */
import { EXPORT_TYPES, FAILURES } from '@tillroll/contract';
import {
  STEPS,
  STORAGE_OPERATIONS,
  type AttemptOutcome,
  type DownloadResult,
  type Observer,
  type PoolUsage,
  type Step,
  type StorageOperation,
  type StorageResult,
} from '../observer.ts';
import type { MetricKey } from './catalogue.ts';
import type { Labels, ProcessRegistry, Sample } from './registry.ts';

/** Others are requests that no route answers: a peer must not be able to add labels. */
const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'OPTIONS']);

const DOWNLOAD_RESULTS: readonly DownloadResult[] = ['complete', 'cut', 'redirected'];

/** Counts what it is told, for a scrape. */
export class Recorder implements Observer {
  readonly #registry: ProcessRegistry;
  readonly #pools = new Map<string, { readonly usage: PoolUsage }>();
  readonly #open = {
    downloads: new Set<() => number>(),
    uploads: new Set<() => number>(),
  };

  constructor(registry: ProcessRegistry) {
    this.#registry = registry;
    this.#beginAtZero();
    this.#readOpen('openDownloads', this.#open.downloads);
    this.#readOpen('openUploads', this.#open.uploads);
    this.#readPools('poolMax', ({ max }) => [sample(max)]);
    this.#readPools('poolWaiting', ({ waiting }) => [sample(waiting)]);
    this.#readPools('poolAsked', ({ asked }) => [sample(asked)]);
    this.#readPools('poolWaited', ({ waitedMs }) => [sample(waitedMs / 1000)]);
    this.#readPools('poolConnections', ({ open, idle }) => [
      sample(open - idle, { state: 'used' }),
      sample(idle, { state: 'idle' }),
    ]);
  }

  /** Prometheus sees an increase only from a value that was there before. */
  #beginAtZero(): void {
    const registry = this.#registry;
    for (const type of EXPORT_TYPES) registry.count('exportsCreated', { type }, 0);
    registry.count('exportsFinished', { outcome: 'done', reason: 'none' }, 0);
    for (const reason of Object.keys(FAILURES)) {
      registry.count('exportsFinished', { outcome: 'failed', reason }, 0);
      registry.count('exportRetries', { reason }, 0);
    }
    for (const step of STEPS) registry.zero('stepSeconds', { step });
    for (const result of DOWNLOAD_RESULTS) registry.count('downloads', { result }, 0);
    for (const operation of STORAGE_OPERATIONS) {
      for (const result of ['ok', 'error']) registry.zero('storageSeconds', { operation, result });
    }
  }

  exportCreated(type: string): void {
    this.#registry.count('exportsCreated', { type });
  }

  attemptEnded(outcome: AttemptOutcome, reason: string): void {
    if (outcome === 'done' || outcome === 'failed')
      this.#registry.count('exportsFinished', { outcome, reason });
    else
      this.#registry.count('exportRetries', {
        reason: outcome === 'will be retried' ? reason : outcome,
      });
  }

  stepTook(step: Step, ms: number): void {
    this.#registry.observe('stepSeconds', { step }, ms / 1000);
  }

  objectsRead(objects: number, bytes: number): void {
    this.#registry.count('objectsRead', {}, objects);
    this.#registry.count('bytesRead', {}, bytes);
  }

  storageCalled(operation: StorageOperation, result: StorageResult, ms: number): void {
    this.#registry.observe('storageSeconds', { operation, result }, ms / 1000);
  }

  downloadEnded(result: DownloadResult, objects: number, bytes: number): void {
    this.#registry.count('downloads', { result });
    this.#registry.count('objectsServed', {}, objects);
    this.#registry.count('bytesServed', {}, bytes);
  }

  requestAnswered({ route, method, status, ms }: Parameters<Observer['requestAnswered']>[0]): void {
    const labels = {
      route,
      method: METHODS.has(method) ? method : 'other',
      status: status === null ? 'none' : String(status),
    };
    this.#registry.observe('requestSeconds', labels, ms / 1000);
  }

  authenticationFailed(reason: string): void {
    this.#registry.count('authenticationFailures', { reason });
  }

  watchOpen(kind: 'downloads' | 'uploads', count: () => number): void {
    this.#open[kind].add(count);
  }

  watchPool(name: string, pool: { readonly usage: PoolUsage }): void {
    this.#pools.set(name, pool);
  }

  /** A process without such a part, as a worker has no downloads, has no number for it either. */
  #readOpen(key: MetricKey, counts: ReadonlySet<() => number>): void {
    this.#registry.readAtScrape(key, () =>
      counts.size === 0 ? [] : [sample([...counts].reduce((sum, count) => sum + count(), 0))],
    );
  }

  #readPools(key: MetricKey, read: (usage: PoolUsage) => Sample[]): void {
    this.#registry.readAtScrape(key, () =>
      [...this.#pools].flatMap(([pool, { usage }]) =>
        read(usage).map(({ value, labels }) => ({ value, labels: { pool, ...labels } })),
      ),
    );
  }
}

function sample(value: number, labels: Labels = {}): Sample {
  return { value, labels };
}
