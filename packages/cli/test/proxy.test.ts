import { expect, test, vi } from 'vitest';
import { useProxy } from '../src/connection/proxy.ts';

const PROXY = 'http://proxy.example:3128';

test('without a proxy in the environment nothing is set', () => {
  const set = vi.fn();
  expect(useProxy({ http_proxy: '', NO_PROXY: 'x' }, set)).toBeUndefined();
  expect(set).not.toHaveBeenCalled();
});

test.each(['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'https_proxy'])('%s is used', (name) => {
  const set = vi.fn();
  expect(useProxy({ [name]: PROXY }, set)).toBeUndefined();
  expect(set).toHaveBeenCalledWith({ [name]: PROXY, no_proxy: 'localhost,127.0.0.1,[::1]' });
});

test('NO_PROXY holds, and this machine is reached directly all the same', () => {
  const set = vi.fn();
  useProxy({ HTTPS_PROXY: PROXY, NO_PROXY: 'internal.example' }, set);
  expect(set.mock.calls[0]?.[0]).toMatchObject({
    no_proxy: 'internal.example,localhost,127.0.0.1,[::1]',
  });
});

test('whoever told Node itself is left alone', () => {
  const set = vi.fn();
  useProxy({ HTTPS_PROXY: PROXY, NODE_USE_ENV_PROXY: '0' }, set);
  expect(set).not.toHaveBeenCalled();
});

test('a Node that cannot use it is a warning', () => {
  // As undefined stands for "as this Node has it".
  const cannot = null as unknown as undefined;
  expect(useProxy({ https_proxy: PROXY }, cannot)).toMatch(/cannot use the proxy in https_proxy/);
});

test.each(['proxy.example:3128', 'socks5://user:secret@proxy.example', 'secret'])(
  '%s is refused without being shown',
  (value) => {
    const use = () => useProxy({ https_proxy: value }, vi.fn());
    expect(use).toThrow(/^https_proxy must be an address/);
    expect(use).not.toThrow('secret');
  },
);
