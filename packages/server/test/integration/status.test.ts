/** `tillroll-server status`: what it shows, and when its exit code is 1. */

import { rename } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { FAILURE_GUIDE } from '../../src/exports/failure-guide.ts';
import { runProgram, type Ended } from '../run-program.ts';
import { Api } from './api.ts';
import { failing, withPlace, withService } from './failures-scene.ts';
import { holdHalfWay } from './held-source.ts';
import { FROM, TO, type Place } from './place.ts';
import { endChildren, startChild } from './process.ts';
import { serveHere } from './service.ts';
import { until } from './until.ts';

afterAll(endChildren);

interface Status {
  isWell: boolean;
  problems: string[];
  database: { isGood: boolean; fault: string | null; schemaVersion: number | null };
  source: { isGood: boolean } | null;
  storage: { isGood: boolean; location: string; fault: string | null } | null;
  queue: { waiting: number; oldestWaitingSeconds: number | null; running: number; delayed: number };
  processes: {
    role: string;
    host: string;
    pid: number;
    isAlive: boolean;
    heartbeatAgeSeconds: number;
    exports: string[];
  }[];
  openExports: {
    pending: number;
    inProgress: number;
    exports: { id: string; percentComplete: number; attempt: number }[];
  };
  failures: { id: string; failure: { code: string; todo: string } }[];
}

function run(args: readonly string[], environment: Record<string, string>): Promise<Ended> {
  return runProgram(['status', ...args], environment);
}

/** The state as programs read it. The exit code always agrees with it, and stderr stays empty. */
async function read(place: Place, more: Record<string, string> = {}): Promise<Status> {
  const { code, out, err } = await run(['--json'], place.environment(more));
  const status = JSON.parse(out) as Status;
  expect({ code, err }).toEqual({ code: status.isWell ? 0 : 1, err: '' });
  return status;
}

test.concurrent('a service at work: all is well, and its process, export and queue are shown', async () => {
  await withPlace(async (place) => {
    await place.seed('M1', 12_000);
    const source = await holdHalfWay(place);
    const service = await serveHere(place, {});
    try {
      const api = new Api(service.url, 'M1', await place.install('M1'));
      const first = await api.create(FROM, TO);
      await until('half of it is written', async () => (await place.row(first.id)).percent > 30);
      const second = await api.create(FROM, TO);

      const status = await read(place);
      expect(status).toMatchObject({
        isWell: true,
        problems: [],
        database: { isGood: true, fault: null },
        storage: { isGood: true, fault: null, location: join(place.dataDir, 'files') },
        queue: { waiting: 1, running: 1, delayed: 0 },
        openExports: { pending: 1, inProgress: 1 },
        failures: [],
      });
      expect(status.queue.oldestWaitingSeconds).toBeGreaterThan(0);
      expect(status.processes).toMatchObject([
        { role: 'all', host: hostname(), pid: process.pid, isAlive: true, exports: [first.id] },
      ]);
      expect(status.processes[0]?.heartbeatAgeSeconds).toBeLessThan(20);
      const [running, waiting] = status.openExports.exports;
      expect(running).toMatchObject({ id: first.id, attempt: 1 });
      expect(running?.percentComplete).toBeGreaterThan(30);
      expect(waiting).toMatchObject({ id: second.id, percentComplete: 0, attempt: 0 });

      const { code, out } = await run([], place.environment());
      expect(code).toBe(0);
      expect(out).toMatch(/^all is well\n/);
      // No colours, no line with spaces at its end.
      expect(out).not.toContain('\x1b');
      expect(out).not.toMatch(/[ \t]$/m);
      expect(out).toContain(first.id);
      expect(out).toMatch(/OPEN EXPORTS: 1 IN_PROGRESS, 1 PENDING/);
    } finally {
      await source.release();
      await service.stop();
    }
    // An orderly end leaves no process behind.
    expect(await read(place)).toMatchObject({
      isWell: false,
      problems: [expect.stringContaining('nothing runs')],
      processes: [],
    });
  });
});

test.concurrent('a killed process is shown as dead, and forgotten by a sweep later', async () => {
  await withPlace(async (place) => {
    const serve = await startChild('serve', place.environment());
    const work = await startChild('work', place.environment());
    expect((await read(place)).processes).toMatchObject([
      { role: 'serve', pid: serve.pid, isAlive: true },
      { role: 'work', pid: work.pid, isAlive: true },
    ]);
    work.kill('SIGKILL');
    await work.exited;
    const age = (ms: number): Promise<unknown> =>
      place.pool.query('UPDATE tillroll.processes SET beat_time = beat_time - $1 WHERE pid = $2', [
        ms,
        work.pid,
      ]);
    await age(25_000);
    const dead = await read(place);
    expect(dead.processes).toMatchObject([{ isAlive: true }, { role: 'work', isAlive: false }]);
    expect(dead.problems).toEqual([
      expect.stringContaining('no worker runs'),
      expect.stringMatching(
        new RegExp(`^work .*/${work.pid} is dead.* heartbeat was 2[5-9] s ago`),
      ),
    ]);

    // A worker's start sweeps.
    await age(10 * 60_000);
    await startChild('work', place.environment());
    await until('the row is gone', async () =>
      (await read(place)).processes.every(({ pid }) => pid !== work.pid),
    );
    expect(await read(place)).toMatchObject({ isWell: true });
  });
});

test.concurrent('a process whose row was taken for dead writes it again', async () => {
  await withPlace(async (place) => {
    const service = await serveHere(place, {});
    try {
      await place.pool.query('DELETE FROM tillroll.processes');
      await until('it is there again', async () => (await read(place)).isWell);
    } finally {
      await service.stop();
    }
  });
});

test.concurrent('failures: an export that is tried again, and one that is FAILED, with what to do', async () => {
  await withPlace(async (place) => {
    await place.seed('M1', 2500);
    await withService(
      place,
      async (api) => {
        const { id } = await api.create(FROM, TO);
        await until('its first error', async () => (await place.row(id)).errors > 0);
        const open = await read(place);
        expect(open.isWell).toBe(false);
        await api.ended(id);
        const { problems, failures } = await read(place);
        expect(problems).toEqual([expect.stringContaining(`the last one ${id}`)]);
        expect(failures).toMatchObject([
          { id, failure: { code: 'STORAGE_FULL', ...FAILURE_GUIDE.STORAGE_FULL } },
        ]);
        const { out, code } = await run([], place.environment());
        expect(code).toBe(1);
        expect(out).toMatch(/^something is wrong: 1 problem\n- /);
        expect(out).toContain(FAILURE_GUIDE.STORAGE_FULL.todo);
        // Failures older than an hour are shown, and do not count as wrong any more.
        await place.pool.query(
          'UPDATE tillroll.exports SET modified_time = modified_time - 3700000',
        );
        expect(await read(place)).toMatchObject({ isWell: true, failures: [{ id }] });
      },
      failing(place, 100),
    );
  });
});

test.concurrent('the store is not there, its disk is nearly full, or the source is away', async () => {
  await withPlace(async (place) => {
    const service = await serveHere(place, {});
    try {
      const full = await read(place, { TILLROLL_MIN_FREE_DISK: '999999GiB' });
      expect(full.problems).toEqual([
        expect.stringMatching(/the storage: .*TILLROLL_MIN_FREE_DISK/),
      ]);
      const files = join(place.dataDir, 'files');
      await rename(files, join(place.dataDir, 'away'));
      const { isWell, storage, database } = await read(place);
      expect({ isWell, database: database.isGood }).toEqual({ isWell: false, database: true });
      expect(storage?.fault).toContain('is not the store of this database');
      await rename(join(place.dataDir, 'away'), files);

      expect(await read(place)).toMatchObject({ isWell: true, source: null });
      const away = await read(place, {
        TILLROLL_SOURCE_DATABASE_URL: 'postgres://127.0.0.1:1/none',
      });
      expect(away.problems).toEqual([
        expect.stringMatching(/^the source of the exports cannot be read: .*ECONNREFUSED/),
      ]);
      const same = { TILLROLL_SOURCE_DATABASE_URL: place.databaseUrl };
      expect(await read(place, same)).toMatchObject({ isWell: true, source: { isGood: true } });
    } finally {
      await service.stop();
    }
  });
});

test.concurrent('a database that cannot be used is a line of the screen; an old schema stays as it is', async () => {
  await withPlace(async (place) => {
    const nowhere = await read(place, { DATABASE_URL: 'postgres://127.0.0.1:1/none' });
    expect(nowhere).toMatchObject({
      database: { isGood: false, schemaVersion: null },
      storage: null,
    });
    expect(nowhere.problems).toEqual([expect.stringContaining('ECONNREFUSED')]);

    await place.pool.query('DELETE FROM tillroll.schema_version WHERE version > 5');
    const old = await read(place);
    expect(old.database).toMatchObject({ isGood: false, schemaVersion: 5 });
    expect(old.problems).toEqual([expect.stringContaining('run "tillroll-server migrate"')]);
    expect((await read(place)).database.schemaVersion).toBe(5);
  });
});
