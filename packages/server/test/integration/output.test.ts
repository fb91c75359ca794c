import { spawn } from 'node:child_process';
import { openSync, closeSync, existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { removeEmbeddedPostgres } from '@tillroll/postgres';
import { FROM, makePlace, TO, type Place } from './place.ts';
import { BIN, endChildren } from './process.ts';

const FULL = '/dev/full';
const hasFull = existsSync(FULL);

let place: Place;
beforeEach(async () => {
  place = await makePlace();
});
afterEach(() => place.remove());
afterAll(endChildren);

interface Ended {
  code: number | null;
  err: string;
}

/** Runs a command whose stdout is a device, or a pipe that nobody reads. */
async function runInto(
  stdout: 'closed pipe' | typeof FULL,
  args: readonly string[],
  environment = place.environment(),
): Promise<Ended> {
  const device = stdout === FULL ? openSync(FULL, 'w') : null;
  const child = spawn(process.execPath, [BIN, ...args], {
    env: { PATH: process.env['PATH'], ...environment },
    stdio: ['ignore', device ?? 'pipe', 'pipe'],
  });
  if (device !== null) closeSync(device);
  child.stdout?.destroy();
  let err = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (err += text));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  return { code, err };
}

async function installs(): Promise<number> {
  return (await place.pool.query('SELECT FROM tillroll.installs')).rows.length;
}

const INSTALL = ['install', '--merchant', 'M1', '--app', 'app', '--permissions', 'ORDERS_R'];
const RANGE = ['--from', new Date(FROM).toISOString(), '--to', new Date(TO).toISOString()];
const COMMANDS = [
  ['migrate'],
  ['installs'],
  ['exports', 'list'],
  ['uninstall', '--merchant', 'M1'],
  ['load', '/dev/null', '--merchant', 'M1', '--type', 'ORDERS'],
  ['seed', '--merchant', 'M1', '--orders', '3', ...RANGE],
  ['purge', '--merchant', 'M1'],
  ['--help'],
  ['install', '--help'],
];

for (const stdout of [FULL, 'closed pipe'] as const) {
  test.skipIf(!hasFull)(
    `install into ${stdout}: exit 1, one line, and no install is left`,
    async () => {
      const { code, err } = await runInto(stdout, INSTALL);
      expect(err).toMatch(
        /^tillroll-server: the token could not be written to stdout; the install was removed again: [^\n]+\n$/,
      );
      expect(code).toBe(1);
      expect(await installs()).toBe(0);
    },
  );
}

test.skipIf(!hasFull)('what cannot be printed is said in one line, with exit 1', async () => {
  for (const args of COMMANDS) {
    const { code, err } = await runInto(FULL, args);
    expect({ args, code, err }).toEqual({
      args,
      code: 1,
      err: expect.stringMatching(
        /^tillroll-server: the output could not be written to stdout: [^\n]*ENOSPC[^\n]*\n$/,
      ),
    });
  }
  // The work itself was done.
  expect((await place.pool.query('SELECT FROM tillroll.orders')).rows).toHaveLength(0);
});

test('a reader that closed the pipe is not an error', async () => {
  for (const args of COMMANDS) {
    expect({ args, ...(await runInto('closed pipe', args)) }).toEqual({ args, code: 0, err: '' });
  }
});

test.skipIf(!hasFull)(
  'a service that cannot say that it is ready stops in order, with exit 1',
  async () => {
    const { code, err } = await runInto(FULL, ['serve']);
    const lines = err.trimEnd().split('\n');
    expect(lines.at(-1)).toMatch(/^tillroll-server: the output could not be written to stdout: /);
    expect(lines.some((line) => line.includes('"stopped"'))).toBe(true);
    expect(code).toBe(1);
  },
);

test.skipIf(!hasFull)('a service whose log cannot be written serves all the same', async () => {
  const full = openSync(FULL, 'w');
  const child = spawn(process.execPath, [BIN, 'serve'], {
    env: { PATH: process.env['PATH'], ...place.environment() },
    stdio: ['ignore', 'pipe', full],
  });
  closeSync(full);
  const exited = new Promise<number | null>((resolve) => {
    child.once('exit', resolve);
  });
  const ready = await new Promise<string>((resolve) => {
    child.stdout?.setEncoding('utf8').once('data', resolve);
    void exited.then((code) => resolve(`ended with ${code}`));
  });
  expect(ready).toMatch(/^ready http/);
  const url = ready.slice('ready '.length).trim();
  for (let n = 0; n < 3; n++) expect((await fetch(`${url}/ready`)).status).toBe(200);
  child.kill('SIGTERM');
  expect(await exited).toBe(0);
});

test('a command that makes a database of its own names it, once', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'tillroll-new-'));
  try {
    const environment = { TILLROLL_DATA_DIR: join(dataDir, 'data') };
    const first = await runInto('closed pipe', ['installs'], environment);
    expect(first.code).toBe(0);
    expect(first.err).toMatch(/^tillroll-server: new database: [^\n]+\n$/);
    expect(first.err).toContain(join(dataDir, 'data'));
    expect(await runInto('closed pipe', ['installs'], environment)).toEqual({ code: 0, err: '' });
  } finally {
    await removeEmbeddedPostgres(join(dataDir, 'data'));
    await rm(dataDir, { recursive: true, force: true });
  }
});
