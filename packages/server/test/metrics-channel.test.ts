import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { collectFrom } from '../src/metrics/channel.ts';
import { Metrics } from '../src/metrics/metrics.ts';
import { hasPromtool, promtool } from './promtool.ts';

const CHILD = fileURLToPath(new URL('./metrics-child.ts', import.meta.url));

let child: ChildProcess;

async function start(environment: Record<string, string> = {}): Promise<void> {
  child = fork(CHILD, { env: { ...process.env, ...environment }, execArgv: [] });
  await once(child, 'message');
}

afterEach(async () => {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
});

/** The text of a scrape of a process whose worker is the child. */
async function scrape(): Promise<string> {
  const metrics = await Metrics.open('api');
  metrics.observer.exportCreated('ORDERS');
  metrics.showWorker(() => collectFrom(child));
  return metrics.render();
}

test('the metrics of a child process stand beside those of its parent', async () => {
  await start();
  const lines = (await scrape()).split('\n');
  expect(lines).toContain('tillroll_worker_up{process="api"} 1');
  expect(lines).toContain('tillroll_exports_created_total{type="ORDERS",process="api"} 1');
  expect(lines).toContain('tillroll_exports_created_total{type="ORDERS",process="worker"} 0');
  expect(lines).toContain(
    'tillroll_exports_finished_total{outcome="done",reason="none",process="worker"} 1',
  );
  expect(lines).toContain('tillroll_export_step_seconds_sum{step="read",process="worker"} 1.5');
  expect(lines).toContain(
    'tillroll_export_step_seconds_bucket{le="+Inf",step="read",process="worker"} 1',
  );
  expect(lines).toContain(
    'tillroll_pool_connections{pool="exports",state="idle",process="worker"} Nan',
  );
  expect(lines).toContain('tillroll_pool_waiting{pool="exports",process="worker"} +Inf');
  expect(lines.filter((line) => line.startsWith('# TYPE process_open_fds'))).toHaveLength(1);
  for (const name of ['api', 'worker'])
    expect(lines).toContainEqual(
      expect.stringMatching(new RegExp(`^process_open_fds\\{process="${name}"\\} [1-9]`)),
    );
});

test.skipIf(!hasPromtool())('promtool accepts the metrics of both', async () => {
  await start();
  expect(promtool(['check', 'metrics'], await scrape())).toEqual({ status: 0, output: '' });
});

test('questions at the same time have their answers', async () => {
  await start();
  const answers = await Promise.all([collectFrom(child), collectFrom(child), collectFrom(child)]);
  for (const families of answers)
    expect(families?.map(({ name }) => name)).toContain('tillroll_exports_created_total');
  expect(child.listenerCount('message')).toBe(0);
  expect(child.listenerCount('disconnect')).toBe(0);
});

/** A child that does not answer: its parent shows its own. */
async function expectSilence(withinMs: number): Promise<void> {
  const before = performance.now();
  const lines = (await scrape()).split('\n');
  expect(performance.now() - before).toBeLessThan(withinMs);
  expect(lines).toContain('tillroll_worker_up{process="api"} 0');
  expect(lines).toContain('tillroll_exports_created_total{type="ORDERS",process="api"} 1');
  expect(lines.filter((line) => line.includes('process="worker"'))).toEqual([]);
}

test('a child that hangs is waited for one second', async () => {
  await start();
  child.kill('SIGSTOP');
  await expectSilence(5_000);
  child.kill('SIGCONT');
  expect(await collectFrom(child)).not.toBeNull();
});

test('a child that cannot read its metrics says so at once', async () => {
  await start({ BROKEN: 'yes' });
  await expectSilence(900);
});

test('a child that dies in the meantime is not waited for', async () => {
  await start();
  child.kill('SIGSTOP');
  setTimeout(() => child.kill('SIGKILL'), 100);
  await expectSilence(900);
  // It is known to be gone now.
  expect(await collectFrom(child)).toBeNull();
});

test('a child that has left answers no more', async () => {
  await start();
  child.send({ kind: 'leave' });
  await expectSilence(5_000);
});
