import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { removeEmbeddedPostgres } from '@tillroll/postgres';
import { run, type Ended } from '../packages/cli/test/run.ts';
import { runCommand, startServer, type ServerProcess } from './server-process.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 });

let directory: string;
let service: ServerProcess;
/** A service of the same data whose hours never come. */
let closed: ServerProcess;
const tokens: Record<string, string> = {};

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tillroll-doctor-test-'));
  const own = { TILLROLL_DATA_DIR: join(directory, 'data') };
  service = await startServer('all', own, join(directory, 'log'));
  closed = await startServer('serve', { ...own, TILLROLL_HOURS: 'never' }, join(directory, 'log'));
  for (const [app, permissions] of [
    ['BOTH', 'ORDERS_R,PAYMENTS_R'],
    ['ORDERS', 'ORDERS_R'],
  ] as const)
    tokens[app] = await runCommand(
      ['install', '--merchant', 'SHOP', '--app', app, '--permissions', permissions],
      own,
    );
});
afterAll(async () => {
  await closed.stop();
  await service.stop();
  await removeEmbeddedPostgres(join(directory, 'data'));
  await rm(directory, { recursive: true, force: true });
});

function doctor(
  app: string,
  args: readonly string[] = [],
  more: Record<string, string> = {},
): Promise<Ended> {
  const env = {
    TILLROLL_URL: service.url,
    TILLROLL_MERCHANT: 'SHOP',
    TILLROLL_TOKEN: tokens[app] ?? app,
    ...more,
  };
  return run(['doctor', ...args], { cwd: directory, env });
}

/** The outcome of each check, by name. */
const outcomes = ({ out }: Ended): Record<string, string> =>
  Object.fromEntries(
    out
      .trimEnd()
      .split('\n')
      .map((line) => line.split(/\s+/).slice(0, 2).toReversed()),
  ) as Record<string, string>;

const WELL = { address: 'ok', token: 'ok', clock: 'ok', hours: 'ok', DuckDB: 'ok', disk: 'ok' };

async function countExports(): Promise<number> {
  const env = {
    TILLROLL_URL: service.url,
    TILLROLL_MERCHANT: 'SHOP',
    TILLROLL_TOKEN: tokens['BOTH'] ?? '',
  };
  const { out } = await run(['exports', 'list'], { env });
  return (JSON.parse(out) as { elements: unknown[] }).elements.length;
}

describe('tillroll doctor', () => {
  test('of what works; creates no export and leaves nothing', async () => {
    const before = await readdir(directory);
    const all = await doctor('BOTH');
    expect(all).toMatchObject({ code: 0, err: '' });
    expect(outcomes(all)).toEqual({ ...WELL, permissions: 'ok' });
    expect(await countExports()).toBe(0);
    expect(await readdir(directory)).toEqual(before);
  });

  test('a permission that is missing is named, and can be left out', async () => {
    const some = await doctor('ORDERS');
    expect(some.code).toBe(1);
    expect(outcomes(some)).toEqual({ ...WELL, permissions: 'failed' });
    expect(some.out).toContain('the token lacks PAYMENTS_R. Ask for it, or use --types orders');
    expect((await doctor('ORDERS', ['--types', 'orders'])).code).toBe(0);
  });

  test('a token that is unknown, or for another merchant', async () => {
    for (const more of [{ TILLROLL_TOKEN: 'unknown-token' }, { TILLROLL_MERCHANT: 'OTHER' }]) {
      const found = await doctor('BOTH', [], more);
      expect(found.code).toBe(1);
      expect(outcomes(found)).toEqual({ ...WELL, token: 'failed' });
    }
  });

  test('hours that never come are a warning; the permissions are known all the same', async () => {
    const found = await doctor('BOTH', ['--json'], { TILLROLL_URL: closed.url });
    expect(found.code).toBe(0);
    expect(JSON.parse(found.out)).toEqual(
      expect.arrayContaining([
        { name: 'hours', outcome: 'warning', message: 'closed, and never opens' },
        expect.objectContaining({ name: 'permissions', outcome: 'ok' }),
      ]),
    );
  });

  test.each([
    ['nobody listens', 'http://127.0.0.1:1', /cannot be reached: .*ECONNREFUSED/],
    ['no such host', 'http://exports.invalid', /cannot be reached: .*(?:ENOTFOUND|EAI_AGAIN)/],
  ])('%s', async (_name, url, message) => {
    const found = await doctor('BOTH', [], { TILLROLL_URL: url });
    expect(found.code).toBe(1);
    expect(outcomes(found)).toEqual({ address: 'failed', DuckDB: 'ok', disk: 'ok' });
    expect(found.out).toMatch(message);
  });

  test('a directory that cannot be', async () => {
    await writeFile(join(directory, 'file'), '');
    const found = await doctor('BOTH', ['--out', 'file/sales']);
    expect(found.code).toBe(1);
    expect(outcomes(found)).toMatchObject({ disk: 'failed' });
    const deep = await doctor('BOTH', ['--out', 'not/yet/there']);
    expect(outcomes(deep)).toMatchObject({ disk: 'ok' });
    expect(await readdir(directory)).not.toContain('not');
  });
});

test('profile add tells whether it works', async () => {
  const env = { XDG_CONFIG_HOME: join(directory, 'config') };
  const add = ['profile', 'add', 'shop', '--url', service.url, '--merchant', 'SHOP'];
  const good = await run(add, { env, input: tokens['BOTH'] ?? '' });
  expect(good).toMatchObject({ code: 0, out: '' });
  expect(good.err).toMatch(/^ok {2}permissions {2}the token has ORDERS_R and PAYMENTS_R$/m);
  const bad = await run(add, { env, input: 'another-token' });
  expect(bad).toMatchObject({ code: 0, out: '' });
  expect(bad.err).toMatch(
    /^failed {2}token +refused. Check that it is whole, is for merchant SHOP/m,
  );
  expect(bad.err).toMatch(/the profile is saved. .*tillroll doctor --profile shop$/m);
});
