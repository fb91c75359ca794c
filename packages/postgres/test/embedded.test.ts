import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  rmdir,
  stat,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  type EmbeddedPostgres,
  openEmbeddedPostgres,
  removeEmbeddedPostgres,
} from '../src/index.ts';
import {
  abortAfter,
  isRoot,
  listProcesses,
  pick,
  postmasterPid,
  query,
  reachable,
  stopOrphan,
} from './embedded-scene.ts';

// Every test makes a cluster, some under the load of all the others.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let base: string;

let dataDir: string;

const children: ChildProcess[] = [];

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'embedded-test-'));
  await chmod(base, 0o755);
  dataDir = join(base, 'data');
});

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await stopOrphan(dataDir);
  await removeEmbeddedPostgres(dataDir);
  await rm(base, { recursive: true, force: true });
});

describe('one process', () => {
  test('a restart keeps the data, and nothing runs when the last one has left', async () => {
    const first = await openEmbeddedPostgres({ dataDir });
    expect(first.home).toBe(join(dataDir, 'postgres'));
    if (reachable) expect(first.notice).toBeNull();
    else expect(first.notice).toContain('programs were copied');
    await query(first, 'CREATE TABLE kept AS SELECT 42 AS answer');
    await first[Symbol.asyncDispose]();
    await first[Symbol.asyncDispose]();
    expect(await listProcesses(first.home)).toEqual([]);

    await using second = await openEmbeddedPostgres({ dataDir });
    expect(await query(second, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
    expect(await query(second, 'SHOW server_encoding')).toEqual([{ server_encoding: 'UTF8' }]);
  });

  test('only we can read the password and enter the socket directory; nothing half-made stays', async () => {
    await using open = await openEmbeddedPostgres({ dataDir });
    const file = join(dataDir, 'postgres.json');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const state = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
    expect(state).toMatchObject({ ...pick(open), home: open.home });
    expect((await stat(open.connection.host)).mode & 0o777).toBe(0o700);
    const copies = reachable ? [] : [expect.stringMatching(/^bin-/)];
    expect((await readdir(open.home)).toSorted()).toEqual([...copies, 'data', 'log', 'socket']);
    expect((await readdir(dataDir)).toSorted()).toEqual([
      'postgres',
      'postgres.json',
      'postgres.lock',
    ]);
    expect(await query(open, 'SHOW listen_addresses')).toEqual([{ listen_addresses: '' }]);
    const wrong = new pg.Client({ ...open.connection, password: 'wrong' });
    await expect(wrong.connect()).rejects.toThrow(/password authentication failed/);
  });

  test.skipIf(!reachable)(
    'a path too long for a socket gets a short one, removed afterwards',
    async () => {
      dataDir = join(base, 'long, "quoted"-'.repeat(4), 'x'.repeat(120));
      const open = await openEmbeddedPostgres({ dataDir });
      expect(Buffer.byteLength(open.connection.host)).toBeLessThan(90);
      expect(open.home).toBe(join(dataDir, 'postgres'));
      expect((await lstat(open.connection.host)).mode & 0o777).toBe(0o700);
      expect(await query(open, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
      await open[Symbol.asyncDispose]();
      await expect(stat(open.connection.host)).rejects.toThrow('ENOENT');
    },
  );

  test.runIf(!reachable)('programs that must be copied cannot run below a quote', async () => {
    dataDir = join(base, 'a, "b"');
    await expect(openEmbeddedPostgres({ dataDir })).rejects.toThrow(/without quotes/);
  });

  test.skipIf(!reachable)('a path with a comma and a quote is one path', async () => {
    dataDir = join(base, 'a, "b"');
    await using open = await openEmbeddedPostgres({ dataDir });
    expect(open.connection.host).toBe(join(dataDir, 'postgres', 'socket'));
    expect(await query(open, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  test('a postmaster that dies is started again', async () => {
    await using open = await openEmbeddedPostgres({ dataDir });
    process.kill(await postmasterPid(open.home), 'SIGKILL');
    await expect
      .poll(() => query(open, 'SELECT 1 AS one').catch(() => null), { timeout: 10_000 })
      .toEqual([{ one: 1 }]);
  });

  test('a stale postmaster.pid whose pid is another process now does not stop a start', async () => {
    const first = await openEmbeddedPostgres({ dataDir });
    const pidFile = join(first.home, 'data', 'postmaster.pid');
    const text = await readFile(pidFile, 'utf8');
    await first[Symbol.asyncDispose]();
    const { uid, gid } = await stat(join(first.home, 'data'));
    const stranger = spawn('sleep', ['60'], isRoot ? { uid, gid, cwd: '/' } : {});
    children.push(stranger);
    await once(stranger, 'spawn');
    await writeFile(pidFile, text.replace(/^\d+/, String(stranger.pid)));
    await using second = await openEmbeddedPostgres({ dataDir });
    expect(await query(second, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    expect(stranger.exitCode).toBeNull();
  });

  test('the next start removes what a killed start left half-made', async () => {
    const first = await openEmbeddedPostgres({ dataDir });
    const { home } = first;
    await first[Symbol.asyncDispose]();
    await mkdir(join(home, 'new/initdb'), { recursive: true });
    await using _second = await openEmbeddedPostgres({ dataDir });
    expect(await readdir(home)).not.toContain('new');
  });

  test('a start waits for the lock of another process, which ends with that process', async () => {
    await mkdir(dataDir);
    const module = new URL('../src/start-lock.ts', import.meta.url).href;
    const script = `
      const { withStartLock } = await import(${JSON.stringify(module)});
      await withStartLock(${JSON.stringify(dataDir)}, new AbortController().signal, () => {
        console.log('locked');
        return new Promise((resolve) => setTimeout(resolve, 60_000));
      });`;
    const holder = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    children.push(holder);
    await once(createInterface(holder.stdout), 'line');
    const reason = new Error('no longer wanted');
    const waiting = openEmbeddedPostgres({ dataDir, signal: abortAfter(1_000, reason) });
    await expect(waiting).rejects.toBe(reason);
    const opening = openEmbeddedPostgres({ dataDir });
    await delay(200);
    holder.kill('SIGKILL');
    await using open = await opening;
    expect(await query(open, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  test('a lost password is said, not papered over with an empty database', async () => {
    const open = await openEmbeddedPostgres({ dataDir });
    await open[Symbol.asyncDispose]();
    const file = join(dataDir, 'postgres.json');
    const text = await readFile(file, 'utf8');
    await rm(file);
    await expect(openEmbeddedPostgres({ dataDir })).rejects.toThrow(
      /lost its password.*restore the file/,
    );
    await writeFile(file, text.replace(/"password": "..../, '"password": "XXXX'));
    await expect(openEmbeddedPostgres({ dataDir })).rejects.toThrow(/does not accept the password/);
    expect(await listProcesses(open.home)).toEqual([]);
    await writeFile(file, text);
  });

  test('why PostgreSQL did not start is in the error', async () => {
    const open = await openEmbeddedPostgres({ dataDir });
    await open[Symbol.asyncDispose]();
    await writeFile(join(open.home, 'data', 'postgresql.conf'), 'no_such_setting = 1\n');
    await expect(openEmbeddedPostgres({ dataDir })).rejects.toThrow(
      /did not start in .*: .*FATAL.*postgresql.conf/,
    );
  });

  test('files that are not what they should be are said, with what to do', async () => {
    const open = await openEmbeddedPostgres({ dataDir });
    await open[Symbol.asyncDispose]();
    await rename(join(open.home, 'data', 'PG_VERSION'), join(base, 'PG_VERSION'));
    await expect(openEmbeddedPostgres({ dataDir })).rejects.toThrow(
      `${join(open.home, 'data')} is not a PostgreSQL data directory: move it away to start empty`,
    );
    const file = join(dataDir, 'postgres.json');
    await rename(file, `${file}.kept`);
    await mkdir(file);
    await expect(openEmbeddedPostgres({ dataDir })).rejects.toThrow(`${file} cannot be read`);
    await rmdir(file);
    await rename(`${file}.kept`, file);
  });

  test.each([0, 150, 300, 500, 700, 950])(
    'aborted after %i ms it leaves nothing half-made',
    async (ms) => {
      const reason = new Error('no longer wanted');
      const began = performance.now();
      const outcome = await openEmbeddedPostgres({ dataDir, signal: abortAfter(ms, reason) }).catch(
        (error: unknown) => error,
      );
      if (!(outcome instanceof Error)) await (outcome as EmbeddedPostgres)[Symbol.asyncDispose]();
      else expect(outcome).toBe(reason);
      expect(performance.now() - began).toBeLessThan(ms + 15_000);
      const home = join(dataDir, 'postgres');
      // A postmaster that is told to stop in its first milliseconds stops by itself.
      await expect.poll(() => listProcesses(home), { timeout: 2_000 }).toEqual([]);
      expect(await readdir(home).catch(() => [])).not.toContain('new');
      await using open = await openEmbeddedPostgres({ dataDir });
      expect(await query(open, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    },
  );
});
