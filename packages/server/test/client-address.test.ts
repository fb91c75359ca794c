import { describe, expect, test } from 'vitest';
import { readConfig } from '../src/config/config.ts';
import { toAccountKey, plain, TrustedProxies } from '../src/http/client-address.ts';

function trusted(cidrs: string): TrustedProxies {
  return new TrustedProxies(readConfig({ TILLROLL_TRUSTED_PROXIES: cidrs }).trustedProxies);
}

describe('trusted proxies', () => {
  test.for([
    ['10.0.0.0/8', '10.1.2.3', true],
    ['10.0.0.0/8', '11.1.2.3', false],
    ['10.0.0.0/8', '::ffff:10.1.2.3', true],
    ['192.168.1.7', '192.168.1.7', true],
    ['192.168.1.7', '192.168.1.8', false],
    ['::ffff:10.0.0.0/104', '10.255.0.1', true],
    ['::ffff:10.0.0.0/104', '11.0.0.1', false],
    ['2001:db8::/32', '2001:db8:1::1', true],
    ['2001:db8::/32', '2001:db9::1', false],
    ['::1', '::1', true],
    ['fe80::/10', 'fe80::1%eth0', true],
    ['0.0.0.0/0', '8.8.8.8', true],
    ['10.0.0.0/8, 127.0.0.1/32', '127.0.0.1', true],
    ['10.0.0.0/8', 'gone', false],
  ] as const)('%s and %s: %s', ([cidrs, address, included]) => {
    expect(trusted(cidrs).includes(plain(address))).toBe(included);
  });

  test.for(['10.0.0.0/33', '10.0.0/8', 'localhost', '10.0.0.1/', '::1/129', '1.2.3.4/8/8', '/8'])(
    '%s is not a network',
    (cidr) => {
      expect(() => trusted(cidr)).toThrow(/TILLROLL_TRUSTED_PROXIES: .*is not a network/);
    },
  );
});

describe('the client behind a trusted proxy', () => {
  const proxies = trusted('10.0.0.0/8, 2001:db8::/32');
  test.for([
    ['203.0.113.9', '203.0.113.9'],
    ['198.51.100.1, 203.0.113.9', '203.0.113.9'],
    ['198.51.100.1, 203.0.113.9, 10.2.2.2', '203.0.113.9'],
    ['garbage, 203.0.113.9', '203.0.113.9'],
    ['203.0.113.9, garbage', '10.0.0.1'],
    ['203.0.113.9, garbage, 10.2.2.2', '10.2.2.2'],
    ['', '10.0.0.1'],
    [',', '10.0.0.1'],
    ['10.9.9.9', '10.9.9.9'],
    ['203.0.113.9:4711', '203.0.113.9'],
    ['[2001:db9::1]:4711', '2001:db9::1'],
    ['2001:db9::1', '2001:db9::1'],
    ['[2001:db9::1', '10.0.0.1'],
    ['::ffff:203.0.113.9', '203.0.113.9'],
    ['::ffff:cb00:7109', '203.0.113.9'],
    ['unknown', '10.0.0.1'],
    [`${' '.repeat(16_000)}203.0.113.9`, '10.0.0.1'],
    [`${'1.1.1.1,'.repeat(2_000)} 203.0.113.9`, '203.0.113.9'],
  ] as const)('%j: %s', ([forwarded, client]) => {
    expect(proxies.clientBehind('10.0.0.1', forwarded)).toBe(client);
  });

  test('a long list of proxies is not read to its end', () => {
    expect(proxies.clientBehind('10.0.0.1', `1.1.1.1${',10.0.0.2'.repeat(2_000)}`)).toBe(
      '10.0.0.2',
    );
  });
});

test.for([
  ['203.0.113.9', '203.0.113.9'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8::6', '2001:db8:0:0::/64'],
  ['1:2::3:4:5:6:7', '1:2:0:3::/64'],
  ['::1', '0:0:0:0::/64'],
  ['fe80::', 'fe80:0:0:0::/64'],
  ['gone', 'gone'],
] as const)('%s is accounted to %s', ([address, account]) => {
  expect(toAccountKey(address)).toBe(account);
});
