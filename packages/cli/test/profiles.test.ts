import { chmod, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  checkProfileName,
  profilesPath,
  readProfiles,
  writeProfiles,
} from '../src/connection/profiles.ts';
import { UsageError } from '../src/exit.ts';

const SHOP = { url: 'https://shop.example', merchant: 'SHOP', token: 'secret-token' };
let directory: string;
let path: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tillroll-profiles-'));
  path = join(directory, 'tillroll', 'profiles.json');
});
afterEach(() => rm(directory, { recursive: true, force: true }));

describe('where the file is', () => {
  test.each([
    [{ XDG_CONFIG_HOME: '/xdg', HOME: '/home/u' }, 'linux', '/xdg/tillroll/profiles.json'],
    [{ HOME: '/home/u' }, 'linux', '/home/u/.config/tillroll/profiles.json'],
    // The XDG rule: what is not absolute does not count.
    [
      { XDG_CONFIG_HOME: 'xdg', HOME: '/home/u' },
      'linux',
      '/home/u/.config/tillroll/profiles.json',
    ],
    [{ HOME: '/Users/u' }, 'darwin', '/Users/u/.config/tillroll/profiles.json'],
    [{ APPDATA: '/appdata', HOME: '/u' }, 'win32', '/appdata/tillroll/profiles.json'],
  ] as const)('%j on %s', (env, platform, expected) => {
    expect(profilesPath(env, platform)).toBe(expected);
  });
});

test('what is written is read again, by this user alone', async () => {
  expect(await readProfiles(path)).toEqual({});
  await writeProfiles(path, { shop: SHOP });
  expect(await readProfiles(path)).toEqual({ shop: SHOP });
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect((await stat(dirname(path))).mode & 0o777).toBe(0o700);
  await writeProfiles(path, {});
  expect(await readdir(dirname(path))).toEqual(['profiles.json']);
});

test.each([0o644, 0o640, 0o604, 0o620])(
  'a file that others can open (mode %o) is refused',
  async (mode) => {
    await writeProfiles(path, { shop: SHOP });
    await chmod(path, mode);
    const read = readProfiles(path);
    await expect(read).rejects.toThrow(`run chmod 600 ${path}`);
    await expect(read).rejects.not.toThrow('secret-token');
  },
);

test.each([
  ['{"profiles": {"shop": {"token": "secret-token",}}}', /not valid JSON/],
  ['[]', /must be \{"profiles"/],
  ['null', /must be \{"profiles"/],
  ['{"profiles": {"shop": {"token": "secret-token", "url": 1}}}', /profile "shop".*each a string/],
  ['{"profiles": {"shop": null}}', /profile "shop"/],
])('%j is refused, and nothing of it is shown', async (text, message) => {
  await mkdir(dirname(path));
  await writeFile(path, text, { mode: 0o600 });
  await expect(readProfiles(path)).rejects.toThrow(message);
  await expect(readProfiles(path)).rejects.not.toThrow('secret-token');
});

test('names are plain', () => {
  expect(checkProfileName('shop-1.eu_2')).toBe('shop-1.eu_2');
  for (const name of ['', '__proto__', '-x', 'a b', 'a/b', 'x'.repeat(65), 'a\n'])
    expect(() => checkProfileName(name)).toThrow(UsageError);
});

test('a home that is not a directory holds no profiles, and can take none', async () => {
  const home = join(directory, 'home');
  await writeFile(home, '');
  const below = profilesPath({ HOME: home }, 'linux');
  expect(await readProfiles(below)).toEqual({});
  await expect(writeProfiles(below, { shop: SHOP })).rejects.toThrow(
    /^cannot make .*\(ENOTDIR\). Set XDG_CONFIG_HOME to a directory of your own$/,
  );
});
