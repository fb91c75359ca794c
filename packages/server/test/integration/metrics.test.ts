import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { hasPromtool, promtool } from '../promtool.ts';
import { readWatchedSeries } from '../watched-metrics.ts';
import { Api, download } from './api.ts';
import { FROM, makePlace, TO, type Place } from './place.ts';
import { endChildren, startChild, type Child } from './process.ts';
import { until } from './until.ts';

let place: Place;

beforeEach(async () => {
  place = await makePlace();
});

afterEach(async () => {
  await endChildren();
  await place.remove();
});

afterAll(endChildren);

function start(role: 'all' | 'serve' | 'work', more: Record<string, string> = {}): Promise<Child> {
  return startChild(role, place.environment({ TILLROLL_METRICS_PORT: '0', ...more }));
}

interface Line extends Record<string, unknown> {
  msg?: string;
}

function readLines(child: Child): Line[] {
  return child
    .log()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
}

/** The address of a process's metrics, which its log names. */
function findMetricsUrl(child: Child): string {
  return String(readLines(child).find(({ msg }) => msg === 'metrics')?.['url']);
}

async function scrape(child: Child): Promise<string> {
  const response = await fetch(`${findMetricsUrl(child)}/metrics`);
  expect(response.status).toBe(200);
  return response.text();
}

/** The sum of the samples whose line has all of `parts`; null when there is none. */
function sum(text: string, name: string, ...parts: string[]): number | null {
  const lines = text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) && parts.every((part) => line.includes(part)));
  if (lines.length === 0) return null;
  return lines.reduce((total, line) => total + Number(line.slice(line.lastIndexOf(' '))), 0);
}

function readSeries(text: string): string[] {
  return text.split('\n').flatMap((line) => /^[a-z][a-z0-9_]*/.exec(line)?.[0] ?? []);
}

test('what happens is counted, and everything that is watched is there', async () => {
  await place.seed('M1', 1500);
  const token = await place.install('M1');
  const api = await start('serve');
  const client = new Api(api.url, 'M1', token);
  const { id } = await client.create(FROM, TO);

  // Nobody takes the job yet.
  await until('the job waits', async () => {
    const waiting = await scrape(api);
    return (sum(waiting, 'tillroll_queue_oldest_job_age_seconds') ?? 0) > 0 && waiting;
  });
  const waiting = await scrape(api);
  expect(sum(waiting, 'tillroll_queue_jobs', 'state="due"')).toBe(1);
  expect(sum(waiting, 'tillroll_queue_jobs', 'state="running"')).toBe(0);
  expect(sum(waiting, 'tillroll_open_exports', 'status="PENDING"')).toBe(1);
  expect(sum(waiting, 'tillroll_open_exports_oldest_age_seconds')).toBeGreaterThan(0);
  expect(sum(waiting, 'tillroll_exports_created_total', 'type="ORDERS"')).toBe(1);

  const worker = await start('work');
  const done = await client.ended(id);
  expect(done.status).toBe('DONE');
  const bytes = (await download(done)).reduce((total, file) => total + file.length, 0);
  const refused = new Api(api.url, 'M1', `${token.slice(0, -4)}AAAA`);
  expect((await refused.fetch('/exports')).status).toBe(401);
  const url = done.exportUrls?.elements[0]?.url;
  expect((await fetch(`${url}0`)).status).toBe(403);

  // The line of the last request, and with it its count, comes with the end of its connection's answer.
  const served = await until('the last request is counted', async () => {
    const text = await scrape(api);
    return sum(text, 'tillroll_http_request_seconds_count', 'status="403"') === 1 && text;
  });
  expect(sum(served, 'tillroll_downloads_total', 'result="complete"')).toBe(2);
  expect(sum(served, 'tillroll_served_objects_total')).toBe(1500);
  const sent = sum(served, 'tillroll_served_bytes_total') ?? 0;
  expect(sent).toBeGreaterThan(bytes);
  expect(sent).toBeLessThan(bytes + 2 * 1024);
  expect(sum(served, 'tillroll_open_downloads')).toBe(0);
  expect(sum(served, 'tillroll_authentication_failures_total', 'token unknown')).toBe(1);
  expect(sum(served, 'tillroll_authentication_failures_total', 'signature wrong')).toBe(1);
  const created = ['/v3/merchants/:mId/exports"', 'POST', '200'];
  expect(sum(served, 'tillroll_http_request_seconds_count', ...created)).toBe(1);
  expect(sum(served, 'tillroll_storage_call_seconds_count', 'read', '"ok"')).toBe(2);

  const worked = await scrape(worker);
  expect(sum(worked, 'tillroll_exports_finished_total', 'done')).toBe(1);
  expect(sum(worked, 'tillroll_exports_finished_total', 'failed')).toBe(0);
  expect(sum(worked, 'tillroll_read_objects_total')).toBe(1500);
  // Without the two files' own brackets and commas.
  expect(sum(worked, 'tillroll_read_bytes_total')).toBe(bytes - 2 * 15 - 1498);
  for (const step of ['claim', 'read', 'write', 'commit'])
    expect(sum(worked, 'tillroll_export_step_seconds_count', `"${step}"`), step).toBe(1);
  expect(sum(worked, 'tillroll_storage_call_seconds_count', 'write', '"ok"')).toBe(2);
  expect(sum(worked, 'tillroll_pool_requests_total', '"exports"')).toBe(1);
  expect(sum(worked, 'tillroll_ready', 'process="worker"')).toBe(1);

  const all = await scrape(await start('all'));
  // Both of its processes are on one port.
  expect(sum(all, 'tillroll_worker_up', 'process="api"')).toBe(1);
  expect(sum(all, 'tillroll_ready', 'process="api"')).toBe(1);
  expect(sum(all, 'tillroll_ready', 'process="worker"')).toBe(1);
  const series = new Set([served, worked, all].flatMap(readSeries));
  const watched = await readWatchedSeries();
  expect(watched.size).toBeGreaterThan(25);
  expect([...watched].filter((name) => !series.has(name))).toEqual([]);
  for (const text of [served, worked, all]) {
    // Nothing in it tells whose exports they were.
    for (const name of ['M1', id, token]) expect(text).not.toContain(name);
    if (hasPromtool())
      expect(promtool(['check', 'metrics'], text)).toEqual({ status: 0, output: '' });
  }
});

test('a worker alone has /health and /ready on the port of its metrics', async () => {
  const worker = await start('work');
  const url = findMetricsUrl(worker);
  for (const path of ['/health', '/ready']) expect((await fetch(url + path)).status).toBe(200);
  expect((await fetch(`${url}/v3/availability`)).status).toBe(404);
});

test('without a port there is none', async () => {
  const api = await startChild('serve', place.environment());
  expect(api.logged('metrics')).toBe(0);
});

test('a port that is taken: the start fails in one line', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  try {
    await expect(start('serve', { TILLROLL_METRICS_PORT: String(port) })).rejects.toThrow(
      `TILLROLL_METRICS_PORT: cannot listen on 127.0.0.1:${port}: listen EADDRINUSE`,
    );
  } finally {
    server.close();
  }
});

test('a queue that cannot be measured is missing from the scrapes, and the log says so once', async () => {
  const api = await start('serve');
  await place.pool.query('ALTER TABLE tillroll_queue.job RENAME TO away');
  for (let n = 0; n < 3; n++)
    expect(sum(await scrape(api), 'tillroll_queue_jobs', 'due')).toBeNull();
  expect(sum(await scrape(api), 'tillroll_ready')).toBe(1);
  await place.pool.query('ALTER TABLE tillroll_queue.away RENAME TO job');
  await until('it is there again', async () => sum(await scrape(api), 'tillroll_queue_jobs') === 0);
  expect(api.logged('the queue could not be measured')).toBe(1);
});

describe('the id of a request', () => {
  const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';

  /** Creates an export, under the ids of the headers. */
  async function create(
    api: Child,
    headers: Record<string, string>,
  ): Promise<{ id: string; requestId: string | null }> {
    const client = new Api(api.url, 'M1', await place.install('M1'));
    const body = JSON.stringify({ type: 'ORDERS', startTime: FROM, endTime: TO });
    const response = await client.fetch('/exports', { method: 'POST', body, headers });
    const { id } = (await response.json()) as { id: string };
    return { id, requestId: response.headers.get('x-request-id') };
  }

  test('is in the lines of its export: every try of it, on any machine, and its expiry', async () => {
    await place.seed('M1', 10);
    await place.pool.query('ALTER TABLE tillroll.orders RENAME TO away');
    const api = await start('serve');
    const worker = await start('work', { TILLROLL_RETENTION: '1s' });
    const { id } = await create(api, { 'x-request-id': 'my-request' });
    await until('it failed once', async () => (await place.row(id)).errors === 1);
    await place.pool.query('ALTER TABLE tillroll.away RENAME TO orders');
    await until('it has expired', async () => (await place.row(id)).filesDeleted, {
      timeoutMs: 40_000,
    });

    const lines = [...readLines(api), ...readLines(worker)].filter(
      (line) => line['export'] === id && line['requestId'] === 'my-request',
    );
    expect(lines.map(({ msg, attempt }) => [msg, attempt])).toEqual([
      ['request', undefined],
      ['export started', 1],
      ['export attempt ended: will be retried', 1],
      ['export started', 2],
      ['export done', 2],
      ['export expired: files deleted', undefined],
    ]);
    const worked = await scrape(worker);
    expect(sum(worked, 'tillroll_export_retries_total', 'SOURCE_UNAVAILABLE')).toBe(1);
    expect(sum(worked, 'tillroll_exports_finished_total', 'done')).toBe(1);
  });

  test.each([
    [{ traceparent: `00-${TRACE}-00f067aa0ba902b7-01` }, TRACE],
    [{ traceparent: `00-${TRACE}-00f067aa0ba902b7-01`, 'x-request-id': 'mine' }, 'mine'],
    [{ traceparent: `00-${'0'.repeat(32)}-00f067aa0ba902b7-01` }, null],
    [{ traceparent: TRACE }, null],
  ])('%j: is %s', async (headers, expected) => {
    const api = await start('serve');
    const { requestId } = await create(api, headers as Record<string, string>);
    if (expected === null) expect(requestId).toMatch(/^[0-9a-f]{8}-[0-9a-f-]{27}$/);
    else expect(requestId).toBe(expected);
  });
});
