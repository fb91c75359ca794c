import { createHash } from 'node:crypto';
import { EXPORT_ID } from '@tillroll/contract';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mintToken, parseToken, secretMatches } from '../src/access/token.ts';

function minted(): { token: string; installId: string; secretHash: Buffer; secret: string } {
  const made = mintToken();
  const parsed = parseToken(made.token);
  if (!parsed) throw new Error(`a minted token does not parse: ${made.token}`);
  return { ...made, secret: parsed.secret };
}

test('a token says its install and holds 256 bits of secret', () => {
  for (let i = 0; i < 200; i++) {
    const { token, installId, secret } = minted();
    expect(token).toMatch(/^tr_[0-9A-HJKMNP-TV-Z]{13}_[A-Za-z0-9_-]{43}$/);
    expect(installId).toMatch(EXPORT_ID);
    expect(parseToken(token)).toEqual({ installId, secret });
    expect(Buffer.from(secret, 'base64url')).toHaveLength(32);
  }
});

test('tokens travel in headers and in URLs as they are', () => {
  const { token } = minted();
  expect(encodeURIComponent(token)).toBe(token);
});

test('no two tokens are alike', () => {
  const made = Array.from({ length: 1000 }, () => minted());
  expect(new Set(made.map(({ installId }) => installId)).size).toBe(1000);
  expect(new Set(made.map(({ secret }) => secret)).size).toBe(1000);
});

test('only the hash of the secret is to be stored: SHA-256', () => {
  const { token, secret, secretHash } = minted();
  expect(secretHash).toEqual(createHash('sha256').update(secret).digest());
  expect(token.includes(secretHash.toString('hex'))).toBe(false);
});

describe('the secret', () => {
  test('the right one matches', () => {
    const { secret, secretHash } = minted();
    expect(secretMatches(secret, secretHash)).toBe(true);
    expect(secretMatches(secret, Buffer.from(secretHash))).toBe(true);
  });

  test('any other does not', () => {
    const { secret, secretHash } = minted();
    for (let at = 0; at < secret.length; at++) {
      const letter = secret[at] === 'A' ? 'B' : 'A';
      const other = secret.slice(0, at) + letter + secret.slice(at + 1);
      expect(secretMatches(other, secretHash)).toBe(false);
    }
    expect(secretMatches('', secretHash)).toBe(false);
    expect(secretMatches(secret.toLowerCase(), secretHash)).toBe(false);
    expect(secretMatches(`${secret}A`, secretHash)).toBe(false);
    expect(secretMatches(minted().secret, secretHash)).toBe(false);
    fc.assert(
      fc.property(fc.string({ maxLength: 60 }), (other) => {
        fc.pre(other !== secret);
        expect(secretMatches(other, secretHash)).toBe(false);
      }),
    );
  });

  test('a stored hash of another length matches nothing and throws nothing', () => {
    const { secret, secretHash } = minted();
    expect(secretMatches(secret, Buffer.alloc(0))).toBe(false);
    expect(secretMatches(secret, secretHash.subarray(0, 31))).toBe(false);
    expect(secretMatches(secret, Buffer.concat([secretHash, Buffer.alloc(1)]))).toBe(false);
  });
});

describe('what is not a token of ours', () => {
  const { token, installId, secret } = minted();
  test.each([
    '',
    'tr_',
    token.slice(0, -1),
    `${token}A`,
    ` ${token}`,
    `${token} `,
    `${token}\n`,
    token.toLowerCase(),
    token.replace('tr_', 'TR_'),
    token.replace('tr_', ''),
    `tr_${installId}${secret}`,
    `tr_${'I'.repeat(13)}_${secret}`,
    `tr_${installId.slice(1)}_${secret}`,
    `tr_${installId}_${'+'.repeat(43)}`,
    `tr_${installId}_${secret}=`,
    `tr_' OR 1=1 --_${secret}`,
    `${token},${token}`,
    'x'.repeat(100_000),
  ])('%j', (text) => {
    expect(parseToken(text)).toBeNull();
  });

  test('parsing never throws, and takes only what has the format', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(parseToken(text)).toBeNull();
      }),
    );
  });
});
