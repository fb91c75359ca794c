import { describe, expect, test } from 'vitest';
import { isPlainHttp, parseConnection } from '../src/api/connection.ts';
import {
  CLOVER_REGIONS,
  cloverAvailability,
  findCloverRegion,
  type CloverRegion,
} from '../src/api/regions.ts';
import { ExportError } from '../src/errors.ts';

const GOOD = { url: 'https://api.clover.com', merchant: 'ABCDEFGHJKMNP', token: 'tr_secret-token' };

function refusal(change: Record<string, unknown>): ExportError {
  try {
    parseConnection({ ...GOOD, ...change });
  } catch (error) {
    if (error instanceof ExportError && error.code === 'USAGE') return error;
    throw error;
  }
  throw new Error('it was accepted');
}

describe('a connection', () => {
  test.each([
    ['https://api.clover.com', 'https://api.clover.com/'],
    ['https://api.clover.com///', 'https://api.clover.com/'],
    ['http://127.0.0.1:8080', 'http://127.0.0.1:8080/'],
    ['https://shop.example/tillroll/', 'https://shop.example/tillroll'],
    ['https://shop.example/v3x', 'https://shop.example/v3x'],
  ])('to %s', (url, base) => {
    expect(parseConnection({ ...GOOD, url }).base.href).toBe(base);
  });

  test.each([
    ['api.clover.com', /got "api\.clover\.com"/],
    ['', /got ""/],
    ['ftp://api.clover.com', /got "ftp:/],
    ['file:///etc/passwd', /got "file:/],
    ['https://api.clover.com?x=1', /a query or a fragment/],
    ['https://api.clover.com#x', /a query or a fragment/],
    ['https://api.clover.com/v3/merchants/X', /must end before \/v3/],
    ['https://shop.example/tillroll/v3', /must end before \/v3/],
    [undefined, /^url must be/],
  ])('is not to %j', (url, message) => {
    expect(refusal({ url }).message).toMatch(message);
  });

  test('has the token alone', () => {
    for (const token of ['Bearer tr_1', 'bearer  tr_1']) {
      const { message, option } = refusal({ token });
      expect(message).toBe('token must be the token alone, without "Bearer " in front');
      expect(option).toBe('token');
    }
  });

  test('says where the address should end', () => {
    expect(refusal({ url: 'https://shop.example/tillroll/v3/merchants/X' }).hint).toBe(
      'Use https://shop.example/tillroll',
    );
    expect(refusal({ url: 'https://api.clover.com/v3/' }).hint).toBe('Use https://api.clover.com');
  });

  test('shows no password', () => {
    for (const url of [
      'https://user:hunter2@api.clover.com',
      'ftp://user:hunter2@api.clover.com',
    ]) {
      const { message, hint } = refusal({ url });
      expect(message).toMatch(/user or a password/);
      expect(`${message}${hint}`).not.toContain('hunter2');
    }
  });

  test.each(['', 'a b', '../x', 'a/b', 'x'.repeat(65), 'ä', 'a\n', undefined, null])(
    'is not for merchant %j',
    (merchant) => {
      const { message } = refusal({ merchant });
      expect(message).toMatch(/^merchant must be 1 to 64/);
      expect(message).toContain(`got ${JSON.stringify(merchant)}`);
    },
  );

  test.each([
    ['', /must not be empty/],
    [undefined, /must not be empty/],
    ['secret\n', /it holds "\\n"/],
    ['secret\r\nx: y', /it holds "\\r"/],
    ['my secret', /it holds " "/],
    ['secret\u00e9', /it holds "é"/],
    ['secret\u200b', /it holds/],
    ['secret\u007f', /it holds/],
  ])('is not with the token %j, and does not tell it', (token, message) => {
    const error = refusal({ token });
    expect(error.message).toMatch(message);
    expect(error.message).not.toContain('secret');
  });
});

describe('the option that an error is about', () => {
  test.each([
    [{ url: 'x' }, 'url'],
    [{ merchant: '' }, 'merchant'],
    [{ token: '' }, 'token'],
  ])('%j', (change, option) => {
    const error = refusal(change);
    expect(error.option).toBe(option);
    // A command puts its own flag in front of the rest.
    expect(error.message).toBe(`${option} ${error.detail}`);
    expect(error.detail).toMatch(/^must/);
  });
});

describe('an unencrypted connection', () => {
  test.each([
    ['http://exports.example.com', true],
    ['http://10.0.0.1:8080', true],
    ['http://127.evil.example', true],
    ['http://localhost.example', true],
    ['http://127.0.0.1:8080', false],
    ['http://127.1.2.3', false],
    ['http://2130706433', false],
    ['http://[::1]:80', false],
    ['http://localhost', false],
    ['http://localhost.:80', false],
    ['http://api.localhost', false],
    ['https://exports.example.com', false],
  ])('to %s is worth a warning: %j', (url, expected) => {
    expect(isPlainHttp(new URL(url))).toBe(expected);
  });
});

describe("Clover's regions", () => {
  test('are known by their hosts', () => {
    for (const [region, url] of Object.entries(CLOVER_REGIONS)) {
      expect(findCloverRegion(new URL(`${url}/x`))).toBe(region);
      expect(findCloverRegion(new URL(url.replace('https://', 'https://x.')))).toBeUndefined();
    }
    expect(findCloverRegion(new URL('https://api.clover.com:8443'))).toBeUndefined();
    expect(findCloverRegion(new URL('https://api.clover.com.example'))).toBeUndefined();
  });

  test('have hours, but for Latin America', () => {
    const now = Date.UTC(2026, 0, 31, 12);
    expect(cloverAvailability('la', now)).toBeUndefined();
    for (const region of ['us', 'eu', 'sandbox'] as CloverRegion[]) {
      const known = cloverAvailability(region, now);
      expect(known?.region).toBe(region);
      // Closed now means that it opens later; open now, that it closes, if ever.
      const next = known?.open ? known.nextClose : known?.nextOpen;
      if (next !== null) expect(next).toBeGreaterThan(now);
    }
  });
});
