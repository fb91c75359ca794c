/** Starts the metrics of a process, and gives them what they show. */
import type { Config } from '../config/settings.ts';
import type { Pool } from '../database/pool.ts';
import { measureOpenExports } from '../exports/upkeep.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { BossQueue } from '../queue/boss-queue.ts';
import type { RepeatedWarnings } from '../repeated-warnings.ts';
import type { Parts } from './parts.ts';

/** The parts of a process that its metrics need. */
export interface MetricsContext {
  /** `api`, `worker`, or `all` for both in one. */
  readonly name: string;
  readonly isReady: () => boolean;
  readonly parts: Parts;
  readonly log: Logger;
  readonly warnings: Pick<RepeatedWarnings, 'warn'>;
  /** The process itself, when the process that forked it shows its metrics: it listens nowhere then. */
  readonly channel?: NodeJS.Process;
}

/** Counts what happens in this process, and listens for scrapes; null where the configuration says no port. */
export async function startMetrics(
  { metricsHost: host, metricsPort: port }: Config,
  { name, isReady, parts, log, warnings, channel }: MetricsContext,
): Promise<Metrics | null> {
  if (port === null) return null;
  // Loaded when used, as the library that they stand on.
  const { Metrics } = await import('../metrics/metrics.ts');
  const metrics = await Metrics.open(name);
  metrics.showReady(isReady);
  if (channel) {
    const { answerMetricsRequests } = await import('../metrics/channel.ts');
    const leave = answerMetricsRequests(channel, () => metrics.read());
    parts.addStanding({ name: 'metrics', close: () => Promise.resolve(leave()) });
    return metrics;
  }
  const { listenForScrapes } = await import('../metrics/server.ts');
  // One server, one address: "localhost" may stand for two.
  const address = { host: host === 'localhost' ? '127.0.0.1' : host, port };
  const server = await listenForScrapes(address, {
    render: () => metrics.render(),
    contentType: metrics.contentType,
    isReady,
    onError: (error) => warnings.warn('metrics could not be collected', error),
  }).catch((cause: unknown) => {
    throw new Error(`TILLROLL_METRICS_PORT: cannot listen on ${host}:${port}`, { cause });
  });
  parts.addStanding({ name: 'metrics', close: () => server.close() });
  log.info({ url: server.url }, 'metrics');
  return metrics;
}

/** Shows the queue and the open exports. A database that is known to be away is not asked. */
export function showBacklog(
  metrics: Metrics,
  { pool, queue, isDatabaseGood }: { pool: Pool; queue: BossQueue; isDatabaseGood: () => boolean },
  warnings: Pick<RepeatedWarnings, 'warn'>,
): void {
  metrics.showBacklog(
    async () => {
      if (!isDatabaseGood()) return null;
      const [depth, open] = await Promise.all([queue.measure(), measureOpenExports(pool)]);
      const { due, delayed, running, oldestDueMs } = depth;
      return {
        jobs: { due, delayed, running },
        oldestDueMs,
        open: { PENDING: open.pending, IN_PROGRESS: open.inProgress },
        oldestOpenMs: open.oldestMs,
      };
    },
    (error) => warnings.warn('the queue could not be measured', error),
  );
}
