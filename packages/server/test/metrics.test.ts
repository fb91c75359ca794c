import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { BoundedAnswer } from '../src/metrics/bounded-answer.ts';
import { CATALOGUE, metricsTable, type Definition } from '../src/metrics/catalogue.ts';
import { Metrics } from '../src/metrics/metrics.ts';
import { listenForScrapes, type MetricsServer } from '../src/metrics/server.ts';

/** The samples of a metric: `{labels} value`, without the label of the process. */
async function samples(metrics: Metrics, name: string): Promise<string[]> {
  return (await metrics.render())
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`))
    .map((line) => line.slice(name.length).replace(/,?process="[a-z]+"/, ''));
}

describe('what is counted', () => {
  let metrics: Metrics;
  beforeEach(async () => {
    metrics = await Metrics.open('all');
  });

  test('each failure code is there before the first failure', async () => {
    const { observer } = metrics;
    expect(await samples(metrics, 'tillroll_exports_finished_total')).toContain(
      '{outcome="failed",reason="WORKER_LOST"} 0',
    );
    observer.attemptEnded('failed', 'WORKER_LOST');
    expect(await samples(metrics, 'tillroll_exports_finished_total')).toContain(
      '{outcome="failed",reason="WORKER_LOST"} 1',
    );
  });

  test('an attempt that does not end its export is counted by its reason', async () => {
    const { observer } = metrics;
    observer.attemptEnded('will be retried', 'STORAGE_UNAVAILABLE');
    observer.attemptEnded('will be retried', 'shutdown');
    observer.attemptEnded('superseded', 'superseded');
    observer.attemptEnded('unrecorded', 'lost');
    const retries = await samples(metrics, 'tillroll_export_retries_total');
    for (const reason of ['STORAGE_UNAVAILABLE', 'shutdown', 'superseded', 'unrecorded'])
      expect(retries).toContain(`{reason="${reason}"} 1`);
    const finished = await samples(metrics, 'tillroll_exports_finished_total');
    expect(finished.filter((line) => !line.endsWith(' 0'))).toEqual([]);
  });

  test('a caller cannot add values of the label method', async () => {
    for (const method of ['GET', 'PURGE', 'MKCALENDAR'])
      metrics.observer.requestAnswered({ route: 'none', method, status: null, ms: 1 });
    expect(await samples(metrics, 'tillroll_http_request_seconds_count')).toEqual([
      '{route="none",method="GET",status="none"} 1',
      '{route="none",method="other",status="none"} 2',
    ]);
  });

  test('what is open is read when somebody looks; without such a part there is no number', async () => {
    expect(await samples(metrics, 'tillroll_open_downloads')).toEqual([]);
    let open = 0;
    metrics.observer.watchOpen('downloads', () => open);
    expect(await samples(metrics, 'tillroll_open_downloads')).toEqual(['{} 0']);
    open = 3;
    expect(await samples(metrics, 'tillroll_open_downloads')).toEqual(['{} 3']);
    expect(await samples(metrics, 'tillroll_open_uploads')).toEqual([]);
  });

  test('sums that are kept elsewhere are shown as they are, at every scrape', async () => {
    const usage = { max: 5, open: 3, idle: 1, waiting: 2, asked: 7, waitedMs: 1500 };
    metrics.observer.watchPool('requests', { usage });
    for (let scrape = 0; scrape < 2; scrape++) {
      expect(await samples(metrics, 'tillroll_pool_requests_total')).toEqual([
        '{pool="requests"} 7',
      ]);
      expect(await samples(metrics, 'tillroll_pool_wait_seconds_total')).toEqual([
        '{pool="requests"} 1.5',
      ]);
      expect(await samples(metrics, 'tillroll_pool_connections')).toEqual([
        '{pool="requests",state="used"} 2',
        '{pool="requests",state="idle"} 1',
      ]);
    }
  });

  test('what the database does not say is missing, and not zero', async () => {
    let answer: Parameters<Metrics['showBacklog']>[0] = () => Promise.resolve(null);
    metrics.showBacklog(
      () => answer(),
      () => undefined,
    );
    const names = ['tillroll_queue_jobs', 'tillroll_queue_oldest_job_age_seconds'];
    for (const name of names) expect(await samples(metrics, name)).toEqual([]);
    answer = () =>
      Promise.resolve({
        jobs: { due: 2, delayed: 1, running: 0 },
        oldestDueMs: 61_500,
        open: { PENDING: 3, IN_PROGRESS: 0 },
        oldestOpenMs: 70_000,
      });
    expect(await samples(metrics, 'tillroll_queue_oldest_job_age_seconds')).toEqual(['{} 61.5']);
    expect(await samples(metrics, 'tillroll_queue_jobs')).toEqual([
      '{state="due"} 2',
      '{state="delayed"} 1',
      '{state="running"} 0',
    ]);
    expect(await samples(metrics, 'tillroll_open_exports')).toEqual([
      '{status="PENDING"} 3',
      '{status="IN_PROGRESS"} 0',
    ]);
  });
});

describe('an answer that may be slow', () => {
  test('one question serves all who come within 5 s', async () => {
    const ask = vi.fn(() => Promise.resolve('answer'));
    const answer = new BoundedAnswer(ask, () => undefined);
    expect(await Promise.all([answer.read(), answer.read()])).toEqual(['answer', 'answer']);
    expect(await answer.read()).toBe('answer');
    expect(ask).toHaveBeenCalledTimes(1);
    const now = performance.now();
    const clock = vi.spyOn(performance, 'now').mockReturnValue(now + 5_001);
    try {
      expect(await answer.read()).toBe('answer');
    } finally {
      clock.mockRestore();
    }
    expect(ask).toHaveBeenCalledTimes(2);
  });

  test('is waited for 1 s; meanwhile nobody asks again, and the answer is there later', async () => {
    const { promise, resolve } = Promise.withResolvers<string>();
    const ask = vi.fn(() => promise);
    const answer = new BoundedAnswer(ask, () => undefined);
    const before = performance.now();
    expect(await Promise.all([answer.read(), answer.read()])).toEqual([null, null]);
    const took = performance.now() - before;
    expect(took).toBeGreaterThan(950);
    expect(took).toBeLessThan(5_000);
    resolve('late');
    expect(await answer.read()).toBe('late');
    expect(ask).toHaveBeenCalledTimes(1);
  });

  test('a failure is told, and the next one asks again', async () => {
    const told: unknown[] = [];
    let isBroken = true;
    const answer = new BoundedAnswer(
      () => (isBroken ? Promise.reject(new Error('no')) : Promise.resolve(1)),
      (error) => told.push(error),
    );
    expect(await answer.read()).toBeNull();
    expect(told).toEqual([new Error('no')]);
    isBroken = false;
    expect(await answer.read()).toBe(1);
  });
});

describe('the port', () => {
  let server: MetricsServer;
  let isReady = false;
  let render: () => Promise<string>;
  const errors: unknown[] = [];
  const ask = (path: string, method = 'GET'): Promise<Response> =>
    fetch(`${server.url}${path}`, { method });

  beforeEach(async () => {
    render = () => Promise.resolve('the metrics\n');
    server = await listenForScrapes(
      { host: '127.0.0.1', port: 0 },
      {
        render: () => render(),
        contentType: 'text/plain; version=0.0.4; charset=utf-8',
        isReady: () => isReady,
        onError: (error) => errors.push(error),
      },
    );
  });
  afterEach(() => server.close());

  test('/metrics', async () => {
    const response = await ask('/metrics');
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await response.text()).toBe('the metrics\n');
    expect(await (await ask('/metrics?x=1')).text()).toBe('the metrics\n');
    const head = await ask('/metrics', 'HEAD');
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([
      200,
      '12',
      '',
    ]);
  });

  test('metrics that cannot be had are 500, with the reason for the log alone', async () => {
    render = () => Promise.reject(new Error('secret'));
    const response = await ask('/metrics');
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain('secret');
    expect(errors).toEqual([new Error('secret')]);
  });

  test('/health and /ready', async () => {
    expect((await ask('/health')).status).toBe(200);
    isReady = false;
    const response = await ask('/ready');
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '5']);
    isReady = true;
    expect((await ask('/ready')).status).toBe(200);
  });

  test('other paths are 404, other methods 405', async () => {
    for (const path of ['/', '/metrics/', '/metric', '/v3/availability', '//metrics'])
      expect((await ask(path)).status, path).toBe(404);
    for (const path of ['/metrics', '/health', '/ready']) {
      for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
        const response = await ask(path, method);
        expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
      }
    }
  });

  test('closes at once, whoever is still connected', async () => {
    const { promise, resolve } = Promise.withResolvers<string>();
    render = () => promise;
    const asked = ask('/metrics').catch((error: unknown) => error);
    await delay(100);
    await server.close();
    expect(await asked).toBeInstanceOf(TypeError);
    resolve('late');
    server = await listenForScrapes(
      { host: '127.0.0.1', port: 0 },
      { render, contentType: '', isReady: () => true, onError: () => undefined },
    );
  });
});

test('names follow the conventions', () => {
  for (const { name, kind, help } of Object.values<Definition>(CATALOGUE)) {
    expect(name).toMatch(/^tillroll_[a-z_]+$/);
    expect(name.endsWith('_total'), name).toBe(kind === 'counter');
    if (kind === 'histogram') expect(name).toMatch(/_seconds$/);
    expect(help).toMatch(/^[A-Z].*\.$/);
  }
});

test('docs/operating.md has the list that the catalogue gives', async () => {
  const path = new URL('../../../docs/operating.md', import.meta.url);
  expect(await readFile(path, 'utf8')).toContain(`\n\n${metricsTable()}\n`);
});
