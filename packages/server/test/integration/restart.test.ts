import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, expect, test, vi } from 'vitest';
import {
  openEmbeddedPostgres,
  removeEmbeddedPostgres,
  type EmbeddedPostgres,
} from '@tillroll/postgres';
import { createPool } from '../../src/database/pool.ts';
import { Api } from './api.ts';
import { holdHalfWay } from './held-source.ts';
import { FROM, TO } from './place.ts';
import { command, endChildren, startChild } from './process.ts';
import { until } from './until.ts';

vi.setConfig({ testTimeout: 150_000 });
afterAll(endChildren);

interface Line extends Record<string, unknown> {
  level: string;
  msg: string;
}

function parse(log: string): Line[] {
  return log
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
}

function findAddress({ connection }: EmbeddedPostgres): string {
  const { host, port, user, password, database } = connection;
  return `postgres://${user}:${password}@/${database}?host=${encodeURIComponent(host)}&port=${port}`;
}

/** `export attempt` of a line about one. */
function formatAttempt(line: Line): string {
  return `${String(line['export'])} ${String(line['attempt'])}`;
}

const WORKERS = 3;
/** Long enough for dozens of polls in vain. */
const OUTAGE_MS = 5_000;

test('a restart of PostgreSQL under running exports: each attempt has its end in the log, each cause one line', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'tillroll-restart-'));
  await chmod(dataDir, 0o755);
  try {
    const before = await openEmbeddedPostgres({ dataDir: join(dataDir, 'postgres') });
    const databaseUrl = findAddress(before);
    const environment = {
      DATABASE_URL: databaseUrl,
      PORT: '0',
      TILLROLL_DATA_DIR: join(dataDir, 'service'),
      TILLROLL_WORKERS: String(WORKERS),
      TILLROLL_MAX_OPEN_EXPORTS_PER_MERCHANT: String(WORKERS),
    };
    const [from, to] = [new Date(FROM).toISOString(), new Date(TO).toISOString()];
    await command(
      ['seed', '--merchant', 'M1', '--orders', '6000', '--from', from, '--to', to],
      environment,
    );
    const token = await command(
      ['install', '--merchant', 'M1', '--app', 'app', '--permissions', 'ORDERS_R'],
      environment,
    );
    const pool = createPool({ connectionString: databaseUrl }, 2, () => undefined);
    const source = await holdHalfWay({ pool, databaseUrl });
    const child = await startChild('all', environment);
    const api = new Api(child.url, 'M1', token);
    const ids: string[] = [];
    for (let n = 0; n < WORKERS; n++) ids.push((await api.create(FROM, TO)).id);
    await until('all are half-way', async () => {
      const exported = await Promise.all(ids.map((id) => api.read(id)));
      return exported.every(({ percentComplete }) => percentComplete > 0);
    });

    await source.release().catch(() => undefined);
    await pool.end();
    await before[Symbol.asyncDispose]();
    await delay(OUTAGE_MS);
    const after = await openEmbeddedPostgres({ dataDir: join(dataDir, 'postgres') });
    expect(findAddress(after)).toBe(databaseUrl);

    for (const id of ids) {
      await until(
        `${id} is done`,
        async () => {
          const response = await api.fetch(`/exports/${id}`);
          const text = await response.text();
          return response.status === 200 && text.includes('"status":"DONE"');
        },
        { timeoutMs: 90_000 },
      );
    }
    child.kill('SIGTERM');
    expect(await child.exited).toBe(0);
    await after[Symbol.asyncDispose]();

    const lines = parse(child.log());
    const started = lines.filter(({ msg }) => msg === 'export started');
    const ended = lines.filter(({ msg }) => /^export (done|attempt ended: )/.test(msg));
    expect(started.length).toBeGreaterThanOrEqual(2 * WORKERS);
    expect(ended.map(formatAttempt).toSorted()).toEqual(started.map(formatAttempt).toSorted());

    // The API and its worker process; the worker, and the one that it took over from.
    const workerPid = lines.find(({ msg }) => msg === 'worker ready')?.['pid'];
    for (const line of lines) {
      expect(line).toMatchObject({ host: expect.any(String) });
      expect([child.pid, workerPid]).toContain(line['pid']);
    }
    const names = new Set<string>();
    for (const line of started) {
      const worker = Number(line['worker']);
      expect(worker).toBeGreaterThanOrEqual(1);
      expect(worker).toBeLessThanOrEqual(WORKERS);
      names.add(`${String(line['host'])}/${String(workerPid)}/${worker}`);
      if (line['attempt'] === 1) expect(line).not.toHaveProperty('takenOverFrom');
      else expect(names).toContain(line['takenOverFrom']);
    }
    expect(names.size).toBe(WORKERS);

    // One line for each cause in each process, however many polls and connections met it; no error is a JSON text.
    const causes = lines
      .filter(({ msg }) => ['queue', 'database connection lost'].includes(msg))
      .map(({ pid, msg, error }) => `${String(pid)} ${msg}: ${String(error)}`);
    expect(causes.length).toBeGreaterThan(0);
    expect(new Set(causes).size).toBe(causes.length);
    for (const { error } of lines) {
      if (error !== undefined) expect(error).not.toMatch(/^[[{]|\{"|Queue: |\n/);
    }
  } finally {
    await endChildren();
    await removeEmbeddedPostgres(join(dataDir, 'postgres'));
    await rm(dataDir, { recursive: true, force: true });
  }
});
