import { createHash } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import { removeEmbeddedPostgres } from '@tillroll/postgres';
import { Api, download, parseIds, type Exported } from './api.ts';
import { createAndReachHalf, holdHalfWay, type HeldSource } from './held-source.ts';
import { FROM, makePlace, TO, type Place } from './place.ts';
import { command, endChildren, startChild, type Child } from './process.ts';
import { until } from './until.ts';

// They mostly wait for the queue to notice a loss, so they wait side by side.
vi.setConfig({ testTimeout: 90_000 });

afterAll(endChildren);

const MERCHANT = 'M1';
const ORDERS = 12_000;
/** The promise: an export goes on elsewhere, or after a restart, and ends within this. */
const RECOVERY_MS = 30_000;

/** A place with orders whose export stops half-way, and an API that stays up. */
interface Scene {
  place: Place;
  source: HeldSource;
  api: Api;
}

async function withScene(run: (scene: Scene) => Promise<void>): Promise<void> {
  const place = await makePlace();
  try {
    await place.seed(MERCHANT, ORDERS);
    const source = await holdHalfWay(place);
    const serve = await startChild('serve', place.environment());
    try {
      await run({
        place,
        source,
        api: new Api(serve.url, MERCHANT, await place.install(MERCHANT)),
      });
    } finally {
      await source.release();
      serve.kill('SIGKILL');
      await serve.exited;
    }
  } finally {
    await place.remove();
  }
}

/** Everything that a client sees of a finished export must be whole. */
async function expectWhole(place: Place, done: Exported): Promise<void> {
  expect(done).toMatchObject({ status: 'DONE', percentComplete: 100 });
  const files = await download(done);
  expect(files.map((file) => createHash('sha256').update(file).digest('hex'))).toEqual(
    done.files?.elements.map(({ sha256 }) => sha256),
  );
  const { rows } = await place.pool.query<{ id: string }>(
    'SELECT id FROM tillroll.orders_table WHERE merchant_id = $1 ORDER BY created_time, id',
    [MERCHANT],
  );
  expect(parseIds(files)).toEqual(rows.map(({ id }) => id));
}

/** Waits for the end and sees to it that the percentage never goes down on the way. */
async function endsSteadily(api: Api, id: string, from: number): Promise<Exported> {
  let last = from;
  return api.ended(id, RECOVERY_MS, ({ percentComplete }) => {
    if (percentComplete < last) throw new Error(`went down from ${last} to ${percentComplete}`);
    last = percentComplete;
  });
}

async function attemptsInStorage(place: Place): Promise<string[]> {
  return [...new Set((await place.files()).map((file) => file.split('/')[1] ?? ''))];
}

async function waitForEnd(child: Child, signal: NodeJS.Signals): Promise<number | string> {
  child.kill(signal);
  return child.exited;
}

test.concurrent('SIGKILL in mid-export: another worker ends it', async () => {
  await withScene(async (scene) => {
    const { place, source, api } = scene;
    const first = await startChild('work', place.environment());
    const id = await createAndReachHalf(scene.place, scene.api);
    const second = await startChild('work', place.environment());
    const { percentComplete } = await api.read(id);
    expect(await waitForEnd(first, 'SIGKILL')).toBe('SIGKILL');
    await source.release();

    const done = await endsSteadily(api, id, percentComplete);

    await expectWhole(place, done);
    expect(await place.row(id)).toMatchObject({ attempt: 2, errors: 0, interruptions: 1 });
    expect(await attemptsInStorage(place)).toEqual(['2']);
    expect(await waitForEnd(second, 'SIGTERM')).toBe(0);
  });
});

test.concurrent('SIGKILL of the only process: the export ends after a restart', async () => {
  await withScene(async (scene) => {
    const { place, source, api } = scene;
    const first = await startChild('all', place.environment());
    const id = await createAndReachHalf(scene.place, scene.api);
    const { percentComplete } = await api.read(id);
    expect(await waitForEnd(first, 'SIGKILL')).toBe('SIGKILL');
    await source.release();
    const second = await startChild('all', place.environment());

    const done = await endsSteadily(api, id, percentComplete);

    await expectWhole(place, done);
    expect(await place.row(id)).toMatchObject({ attempt: 2, errors: 0, interruptions: 1 });
    expect(await attemptsInStorage(place)).toEqual(['2']);
    expect(await waitForEnd(second, 'SIGTERM')).toBe(0);
  });
});

test.concurrent('a worker that slept through the whole take-over changes nothing', async () => {
  await withScene(async (scene) => {
    const { place, source, api } = scene;
    const sleeper = await startChild('work', place.environment());
    const id = await createAndReachHalf(scene.place, scene.api);
    const winner = await startChild('work', place.environment());
    sleeper.kill('SIGSTOP');
    await source.release();
    const done = await api.ended(id, RECOVERY_MS);
    const row = await place.row(id);
    expect(row).toMatchObject({ status: 'DONE', attempt: 2 });

    sleeper.kill('SIGCONT');
    await until('the sleeper has given up', () =>
      sleeper.logged('export attempt ended: superseded'),
    );

    expect(sleeper.logged('export done')).toBe(0);
    expect(await place.row(id)).toEqual(row);
    expect((await api.read(id)).files).toEqual(done.files);
    await expectWhole(place, await api.read(id));
    expect(await attemptsInStorage(place)).toEqual(['2']);
    // Both still work.
    for (const child of [sleeper, winner]) expect(await waitForEnd(child, 'SIGTERM')).toBe(0);
  });
});

test.concurrent('a worker that wakes while the next one runs does not disturb it', async () => {
  await withScene(async (scene) => {
    const { place, source, api } = scene;
    const sleeper = await startChild('work', place.environment());
    const id = await createAndReachHalf(scene.place, scene.api);
    const winner = await startChild('work', place.environment());
    sleeper.kill('SIGSTOP');
    await until('the take-over', async () => (await place.row(id)).attempt === 2, {
      timeoutMs: RECOVERY_MS,
    });
    await until('the winner is half-way', async () =>
      (await attemptsInStorage(place)).includes('2'),
    );

    sleeper.kill('SIGCONT');
    await until('the sleeper has given up', () =>
      sleeper.logged('export attempt ended: superseded'),
    );
    // Long enough for the winner's queue to notice if its job had been ended under its hands.
    const heartbeats = await lastHeartbeat(place);
    await until('the winner has reported twice more', async () => {
      const { status, attempt } = await place.row(id);
      if (status !== 'IN_PROGRESS' || attempt !== 2) throw new Error(`${status} ${attempt}`);
      return (await lastHeartbeat(place)) > heartbeats + 5_000;
    });
    await source.release();

    await expectWhole(place, await api.ended(id, RECOVERY_MS));
    expect(await place.row(id)).toMatchObject({ attempt: 2, errors: 0, interruptions: 1 });
    expect(await attemptsInStorage(place)).toEqual(['2']);
    for (const child of [sleeper, winner]) expect(await waitForEnd(child, 'SIGTERM')).toBe(0);
  });
});

/** Reads the time of the last heartbeat of the running job's worker, ms. */
async function lastHeartbeat(place: Place): Promise<number> {
  const { rows } = await place.pool.query<{ at: Date | null; state: string }>(
    `SELECT heartbeat_on AS at, state::text FROM tillroll_queue.job WHERE name = 'run-export'`,
  );
  expect(rows.map(({ state }) => state)).toEqual(['active']);
  return rows[0]?.at?.getTime() ?? 0;
}

test.concurrent('SIGTERM in mid-export: what can end in the grace does', async () => {
  await withScene(async (scene) => {
    const { place, source, api } = scene;
    const worker = await startChild('work', place.environment());
    const id = await createAndReachHalf(scene.place, scene.api);
    const exited = waitForEnd(worker, 'SIGTERM');
    await until('it has heard', () => worker.logged('stopping'));
    await source.release();

    expect(await exited).toBe(0);
    expect(worker.logged('export done')).toBe(1);
    await expectWhole(place, await api.read(id));
    expect(await place.row(id)).toMatchObject({ attempt: 1, errors: 0, interruptions: 0 });
  });
});

test.concurrent('SIGTERM in mid-export: what cannot is handed back, and ends elsewhere', async () => {
  await withScene(async (scene) => {
    const { place, source, api } = scene;
    const worker = await startChild('work', place.environment());
    const id = await createAndReachHalf(scene.place, scene.api);
    const { percentComplete } = await api.read(id);
    const started = performance.now();
    // Held all the time: the grace of 10 s must not become the patience of the source.
    expect(await waitForEnd(worker, 'SIGTERM')).toBe(0);
    expect(performance.now() - started).toBeLessThan(15_000);

    const handedBack = await api.read(id);
    expect(handedBack.status).toBe('PENDING');
    expect(handedBack.percentComplete).toBeGreaterThanOrEqual(percentComplete);
    expect(await place.files()).toEqual([]);
    await source.release();
    const next = await startChild('work', place.environment());
    await expectWhole(place, await endsSteadily(api, id, percentComplete));
    expect(await place.row(id)).toMatchObject({ attempt: 2, errors: 0, interruptions: 1 });
    expect(await waitForEnd(next, 'SIGTERM')).toBe(0);
  });
});

test.concurrent('work that was waiting when everything stopped is done after the restart', async () => {
  await withScene(async ({ place, source, api }) => {
    await source.release();
    const { id } = await api.create(FROM, TO);
    const { id: payments } = await api.create(FROM, TO, 'PAYMENTS');
    expect(await place.row(id)).toMatchObject({ status: 'PENDING', attempt: 0 });
    const worker = await startChild('all', place.environment());
    await expectWhole(place, await api.ended(id, RECOVERY_MS));
    expect((await api.ended(payments, RECOVERY_MS)).files).toEqual({ elements: [] });
    expect(await waitForEnd(worker, 'SIGTERM')).toBe(0);
  });
});

test.concurrent('SIGKILL that leaves an embedded PostgreSQL behind: the next start copes', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'tillroll-own-'));
  await chmod(dataDir, 0o755);
  const environment = {
    PORT: '0',
    TILLROLL_DATA_DIR: dataDir,
    TILLROLL_MAX_OPEN_EXPORTS_PER_MERCHANT: '10',
  };
  try {
    const first = await startChild('all', environment, { detached: true });
    const [from, to] = [new Date(FROM).toISOString(), new Date(TO).toISOString()];
    const range = ['--from', from, '--to', to];
    await command(['seed', '--merchant', MERCHANT, '--orders', '12000', ...range], environment);
    const token = await command(
      ['install', '--merchant', MERCHANT, '--app', 'app', '--permissions', 'ORDERS_R'],
      environment,
    );
    const api = new Api(first.url, MERCHANT, token);
    // One worker: when the first is seen to run, the others still wait.
    const ids: string[] = [];
    for (let i = 0; i < 4; i++) ids.push((await api.create(FROM, TO)).id);
    await until('work is under way', async () => {
      const { status } = await api.read(ids[0] ?? '');
      return status !== 'PENDING';
    });
    // Its worker alone would stop PostgreSQL on its way out.
    process.kill(-first.pid, 'SIGKILL');
    expect(await first.exited).toBe('SIGKILL');

    const second = await startChild('all', environment);
    const again = new Api(second.url, MERCHANT, token);
    for (const id of ids) {
      const done = await again.ended(id, RECOVERY_MS);
      expect(done.status).toBe('DONE');
      expect(new Set(parseIds(await download(done))).size).toBe(12_000);
    }
    expect(await waitForEnd(second, 'SIGTERM')).toBe(0);
  } finally {
    await removeEmbeddedPostgres(dataDir);
    await rm(dataDir, { recursive: true, force: true });
  }
});
