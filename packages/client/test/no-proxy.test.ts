import { expect, test } from 'vitest';
import { parseNoProxy } from '../src/http/no-proxy.ts';

test.each([
  // Every host.
  ['*', 'https://exports.example.com', true],
  [' * ', 'https://exports.example.com', true],
  ['localhost, *', 'https://exports.example.com', true],
  ['*:8443', 'https://exports.example.com:8443', true],
  ['*:8443', 'https://exports.example.com', false],
  // None.
  ['', 'https://exports.example.com', false],
  [' , ,', 'https://exports.example.com', false],
  ['.', 'https://exports.example.com', false],
  // Names, in lists, with everything below them.
  ['exports.example.com', 'https://exports.example.com', true],
  ['Exports.EXAMPLE.com', 'https://exports.example.com', true],
  ['a.test,exports.example.com,b.test', 'https://exports.example.com', true],
  ['a.test exports.example.com', 'https://exports.example.com', true],
  ['a.test,\texports.example.com', 'https://exports.example.com', true],
  ['example.com', 'https://exports.example.com', true],
  ['.example.com', 'https://exports.example.com', true],
  ['*.example.com', 'https://exports.example.com', true],
  ['.example.com', 'https://example.com', true],
  ['example.com', 'https://notexample.com', false],
  ['example.com', 'https://example.com.evil.test', false],
  ['exports', 'https://exports.example.com', false],
  ['com.', 'https://exports.example.com', true],
  ['example.com', 'https://exports.example.com.', true],
  // Ports.
  ['example.com:443', 'https://exports.example.com', true],
  ['example.com:80', 'http://exports.example.com', true],
  ['example.com:80', 'https://exports.example.com', false],
  ['example.com:8080', 'http://exports.example.com:8080', true],
  // Addresses.
  ['10.1.2.3', 'http://10.1.2.3', true],
  ['10.1.2.3', 'http://110.1.2.3', false],
  ['2.3', 'http://10.1.2.3', false],
  ['10.1.2.3:8080', 'http://10.1.2.3', false],
  ['10.0.0.0/8', 'http://10.200.0.1', true],
  ['10.0.0.0/8', 'http://11.0.0.1', false],
  ['10.0.0.0/99', 'http://10.0.0.1', false],
  ['192.168.0.0/16,10.0.0.0/8', 'http://10.200.0.1:8080', true],
  ['fd00::1', 'http://[fd00::1]:8080', true],
  ['[fd00::1]', 'http://[fd00::1]:8080', true],
  ['[fd00::1]:80', 'http://[fd00::1]:8080', false],
  ['[fd00::1]:8080', 'http://[fd00::1]:8080', true],
  ['FD00:0:0::1', 'http://[fd00::1]', true],
  ['fd00::/8', 'http://[fd12::1]', true],
  ['fd00::/8', 'http://[fe80::1]', false],
  ['10.0.0.0/8', 'http://[fd00::1]', false],
  ['10.0.0.0/8', 'https://exports.example.com', false],
])('NO_PROXY=%j and %s: %s', (value, url, expected) => {
  expect(parseNoProxy(value)(new URL(url))).toBe(expected);
});
