import { CLOVER_REGIONS } from '@tillroll/client';
import { describe, expect, test, vi } from 'vitest';
import { REGION_NAMES } from '../src/connection/flags.ts';
import type { Profiles } from '../src/connection/profiles.ts';
import { resolveConnection } from '../src/connection/resolve.ts';
import { UsageError } from '../src/exit.ts';

const PROFILES: Profiles = {
  default: { url: 'https://default.example', merchant: 'MD', token: 'td' },
  shop: { url: 'https://shop.example', merchant: 'MS', token: 'ts' },
};
const ENV = {
  TILLROLL_URL: 'https://env.example',
  TILLROLL_MERCHANT: 'ME',
  TILLROLL_TOKEN: 'te',
};
const none = () => Promise.resolve({});
const all = () => Promise.resolve(PROFILES);

test('the regions are the ones that the library knows', () => {
  expect([...REGION_NAMES]).toEqual(Object.keys(CLOVER_REGIONS));
});

describe('precedence', () => {
  test('flags win over the environment', async () => {
    const flags = { url: 'https://flag.example', merchant: 'MF', token: 'tf' };
    expect(await resolveConnection(flags, ENV, none)).toMatchObject(flags);
  });

  test('the environment alone is enough, and no profile is read', async () => {
    const read = vi.fn(all);
    const found = await resolveConnection({}, ENV, read);
    expect(found).toEqual({
      url: 'https://env.example',
      merchant: 'ME',
      token: 'te',
      warnings: [],
    });
    expect(read).not.toHaveBeenCalled();
  });

  test('the environment wins over a profile, and says so when the profile was named', async () => {
    const found = await resolveConnection(
      { profile: 'shop' },
      { TILLROLL_MERCHANT: 'ME', TILLROLL_URL: '' },
      all,
    );
    expect(found).toMatchObject({ url: 'https://shop.example', merchant: 'ME', token: 'ts' });
    expect(found.warnings).toEqual(['TILLROLL_MERCHANT in the environment wins over the profile']);
  });

  test('--profile wins over TILLROLL_PROFILE, and that over the default', async () => {
    const env = { TILLROLL_PROFILE: 'shop' };
    expect(await resolveConnection({}, env, all)).toMatchObject({ merchant: 'MS' });
    expect(await resolveConnection({ profile: 'default' }, env, all)).toMatchObject({
      merchant: 'MD',
    });
    expect(await resolveConnection({}, {}, all)).toMatchObject({ merchant: 'MD', token: 'td' });
  });

  test('--region is an address', async () => {
    const found = await resolveConnection({ region: 'eu' }, { ...ENV, TILLROLL_URL: '' }, none);
    expect(found.url).toBe('https://api.eu.clover.com');
  });
});

test('--url and --region together are refused', async () => {
  const both = resolveConnection({ url: 'https://x.example', region: 'us' }, ENV, none);
  await expect(both).rejects.toThrow(/--url and --region both give the URL/);
  await expect(both).rejects.toBeInstanceOf(UsageError);
});

test('all that is missing is named at once', async () => {
  const nothing = resolveConnection({}, {}, none);
  await expect(nothing).rejects.toThrow(/^missing: .*--url.*--merchant.*TILLROLL_TOKEN.*profile/);
  await expect(resolveConnection({}, {}, none, ['url'])).rejects.not.toThrow(/--merchant/);
});

test('a profile that is not there is named, with those that are', async () => {
  await expect(resolveConnection({ profile: 'x' }, {}, all)).rejects.toThrow(
    'there is no profile "x"; there are default, shop',
  );
  await expect(resolveConnection({ profile: 'toString' }, {}, all)).rejects.toThrow(
    'there is no profile "toString"',
  );
});

test("a profile's token goes to the profile's address alone", async () => {
  const flags = { profile: 'shop', url: 'http://elsewhere.example' };
  await expect(resolveConnection(flags, {}, all)).rejects.toThrow(
    'the token of profile shop is for https://shop.example, and is not sent to http://elsewhere.example',
  );
  // Written otherwise, it is the same address.
  const same = await resolveConnection({ ...flags, url: 'HTTPS://shop.example:443/' }, {}, all);
  expect(same.token).toBe('ts');
  const own = await resolveConnection({ ...flags, merchant: 'M' }, { TILLROLL_TOKEN: 'te' }, all);
  expect(own).toMatchObject({ url: 'http://elsewhere.example', token: 'te' });
});

test('--token warns, and the warning holds no token', async () => {
  const { warnings } = await resolveConnection({ token: 'secret' }, ENV, none);
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toMatch(/visible to other users in ps/);
  expect(warnings[0]).not.toContain('secret');
});
