import { CROCKFORD_ALPHABET, MAX_TIME_MS } from '@tillroll/contract';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { UrlSigner, type SignedFile } from '../src/storage/signature.ts';

const KEY = 'a key of at least sixteen characters';
const signer = new UrlSigner([KEY]);
const FILE: SignedFile = { exportId: '0123456789ABC', position: 4, expires: 1_790_000_000_000 };

const files: fc.Arbitrary<SignedFile> = fc.record({
  exportId: fc
    .array(fc.constantFrom(...CROCKFORD_ALPHABET.split('')), { minLength: 13, maxLength: 13 })
    .map((letters) => letters.join('')),
  position: fc.integer({ min: 0, max: 999_999 }),
  expires: fc.integer({ min: 0, max: MAX_TIME_MS }),
});

test('a signed URL says what was signed', () => {
  fc.assert(
    fc.property(files, (file) => {
      expect(signer.verify(signer.sign(file))).toEqual(file);
    }),
  );
});

test('its text: the signature is hex and stands last', () => {
  expect(signer.sign(FILE)).toMatch(
    /^\/v3\/files\/0123456789ABC\/4\.json\?expires=1790000000000&signature=[0-9a-f]{64}$/,
  );
});

describe('what was not issued', () => {
  test('any change of any one character', () => {
    const url = signer.sign(FILE);
    for (let at = 0; at < url.length; at++) {
      for (const letter of [
        '0',
        '1',
        'a',
        'A',
        'f',
        'Z',
        '/',
        '?',
        '&',
        '=',
        '%',
        ' ',
        '\n',
        'é',
      ]) {
        if (url[at] === letter) continue;
        expect(signer.verify(url.slice(0, at) + letter + url.slice(at + 1))).toBeNull();
      }
    }
  });

  test('any mutation', () => {
    const url = signer.sign(FILE);
    fc.assert(
      fc.property(
        fc.nat(url.length),
        fc.nat(url.length),
        fc.string({ unit: 'binary', maxLength: 5 }),
        (from, to, inserted) => {
          const changed =
            url.slice(0, Math.min(from, to)) + inserted + url.slice(Math.max(from, to));
          fc.pre(changed !== url);
          expect(signer.verify(changed)).toBeNull();
        },
      ),
      { numRuns: 2000 },
    );
  });

  test('any truncation, at either end', () => {
    const url = signer.sign(FILE);
    for (let length = 0; length < url.length; length++) {
      expect(signer.verify(url.slice(0, length))).toBeNull();
      expect(signer.verify(url.slice(url.length - length))).toBeNull();
    }
  });

  test.each([
    ['upper case', (url: string) => url.toUpperCase()],
    [
      'an upper-case signature',
      (url: string) => url.replace(/[0-9a-f]{64}$/, (hex) => hex.toUpperCase()),
    ],
    ['a lower-case id', (url: string) => url.replace('0123456789ABC', '0123456789abc')],
    ['an appended parameter', (url: string) => `${url}&x=1`],
    ['an appended fragment', (url: string) => `${url}#x`],
    ['an appended space', (url: string) => `${url} `],
    ['an appended line break', (url: string) => `${url}\n`],
    ['a parameter put in front', (url: string) => url.replace('?', '?x=1&')],
    ['a second signature', (url: string) => `${url}${url.slice(url.indexOf('&'))}`],
    ['a doubled expires', (url: string) => url.replace('&', '&expires=9999999999999&')],
    ['another spelling of the path', (url: string) => url.replace('/v3/', '/v3//')],
    ['an escaped character', (url: string) => url.replace('.json', '%2Ejson')],
    ['a position with a zero in front', (url: string) => url.replace('/4.json', '/04.json')],
    ['the parameters swapped', (url: string) => url.replace(/\?(.*)&(.*)$/, '?$2&$1')],
    ['a host in front', (url: string) => `http://127.0.0.1:8080${url}`],
    ['nothing', () => ''],
  ])('%s', (_what, change) => {
    expect(signer.verify(change(signer.sign(FILE)))).toBeNull();
  });

  test("another file's signature", () => {
    fc.assert(
      fc.property(files, files, (one, other) => {
        fc.pre(signer.sign(one) !== signer.sign(other));
        const [text] = signer.sign(one).split('&');
        const [, signature] = signer.sign(other).split('&');
        expect(signer.verify(`${text}&${signature}`)).toBeNull();
      }),
    );
  });

  test('text signed with the right key that is not a file', () => {
    // An export id that was never looked at must not reach a path.
    expect(() => signer.sign({ ...FILE, exportId: '../../../etc' })).toThrow(RangeError);
    expect(() => signer.sign({ ...FILE, exportId: '0123456789abc' })).toThrow(RangeError);
    expect(signer.verify(signer.sign({ ...FILE, position: -1 }))).toBeNull();
    expect(signer.verify(signer.sign({ ...FILE, expires: Number.NaN }))).toBeNull();
  });
});

describe('keys', () => {
  const OLD = 'the old key, which rotates out';
  const NEW = 'the new key, which rotates in!';

  test('the first signs, all verify', () => {
    const rotated = new UrlSigner([NEW, OLD]);
    const issuedBefore = new UrlSigner([OLD]).sign(FILE);
    expect(rotated.verify(issuedBefore)).toEqual(FILE);
    expect(rotated.sign(FILE)).toBe(new UrlSigner([NEW]).sign(FILE));
    expect(rotated.verify(rotated.sign(FILE))).toEqual(FILE);
    expect(rotated.sign(FILE)).not.toBe(issuedBefore);
  });

  test('a key that is gone verifies nothing', () => {
    expect(new UrlSigner([NEW]).verify(new UrlSigner([OLD]).sign(FILE))).toBeNull();
    expect(new UrlSigner([]).verify(signer.sign(FILE))).toBeNull();
    expect(() => new UrlSigner([]).sign(FILE)).toThrow('no signing key');
  });

  test('any other key gives another signature', () => {
    fc.assert(
      fc.property(fc.string(), (key) => {
        fc.pre(key !== KEY);
        expect(signer.verify(new UrlSigner([key]).sign(FILE))).toBeNull();
      }),
    );
  });
});
