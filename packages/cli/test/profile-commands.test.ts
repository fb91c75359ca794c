import { chmod, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { run, TOKEN } from './run.ts';

vi.setConfig({ testTimeout: 60_000 });

let directory: string;
let env: Record<string, string>;
let path: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tillroll-profile-'));
  env = { XDG_CONFIG_HOME: directory };
  path = join(directory, 'tillroll', 'profiles.json');
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const ADD = ['profile', 'add', 'shop', '--url', 'http://127.0.0.1:1', '--merchant', 'SHOP'];
const UNCHECKED = [...ADD, '--no-check'];

test('a token is piped in, kept with mode 600, and never shown', async () => {
  const added = await run(ADD, { env, input: `${TOKEN}\n` });
  expect(added).toMatchObject({ code: 0, out: '' });
  expect(added.err.split('\n')).toEqual([
    `tillroll: profile shop added in ${path}, with the token from standard input`,
    expect.stringMatching(
      /^failed  address  http:\/\/127.0.0.1:1 cannot be reached: .*ECONNREFUSED/,
    ),
    'tillroll: the profile is saved. Check it again with: tillroll doctor --profile shop',
    '',
  ]);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({
    profiles: { shop: { url: 'http://127.0.0.1:1', merchant: 'SHOP', token: TOKEN } },
  });

  const listed = await run(['profile', 'list'], { env });
  expect(listed.out).toBe('NAME  URL                 MERCHANT\nshop  http://127.0.0.1:1  SHOP\n');

  expect((await run(['profile', 'remove', 'shop'], { env })).code).toBe(0);
  expect(await readFile(path, 'utf8')).not.toContain(TOKEN);
});

test('with nothing piped in, the token comes from the environment', async () => {
  const fromEnvironment = { ...env, TILLROLL_TOKEN: TOKEN };
  const { code, err } = await run(UNCHECKED, { env: fromEnvironment });
  expect(code).toBe(0);
  expect(err).toContain('with the token from TILLROLL_TOKEN');
  expect((await run(ADD, { env })).err).toMatch(/^tillroll: missing: the token\. Pipe it/);
});

test('a token of two lines is refused', async () => {
  const { code, err } = await run(ADD, { env, input: `${TOKEN}\nmore\n` });
  expect(code).toBe(2);
  expect(err).toMatch(/^tillroll: the token must be [^\n]+\n$/);
});

test('a file that others can read is refused by whatever needs it', async () => {
  await run(UNCHECKED, { env, input: TOKEN });
  await chmod(path, 0o644);
  for (const args of [['exports', 'list', '--profile', 'shop'], ['profile', 'list'], ADD]) {
    const { code, out, err } = await run(args, { env, input: TOKEN });
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toMatch(/^tillroll: [^\n]*run chmod 600 [^\n]+\n$/);
  }
});
