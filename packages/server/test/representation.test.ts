import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type ByteRange,
  chooseRange,
  chooseRepresentation,
  isCurrent,
  type Representation,
} from '../src/http/representation.ts';

const SHA256 = 'ab'.repeat(32);

const FILE = { objects: 3, bytes: 1000, compressedBytes: 300, sha256: SHA256, storedEtag: null };

function encodingFor(acceptEncoding: string | undefined): string {
  const headers = acceptEncoding === undefined ? {} : { 'accept-encoding': acceptEncoding };
  return chooseRepresentation(headers, FILE).encoding;
}

describe('gzip or identity', () => {
  test.each([
    undefined,
    '',
    ' ',
    'identity',
    'br',
    'br, zstd, deflate',
    'gzip;q=0',
    'gzip; q=0.0',
    'gzip;q=0.000, br',
    'gzip;q=0, *',
    '*;q=0',
    'identity, gzip;q=0.5',
    'identity;q=1, gzip;q=0.2',
    'identity;q=0',
    'gzip2',
    'xgzip',
    ',,,',
    ';q=1',
    'gzip;q=nonsense;=',
  ])('identity for %j', (header) => {
    // `q=nonsense` is the one header here that may be read either way.
    if (header?.includes('nonsense')) expect(['gzip', 'identity']).toContain(encodingFor(header));
    else expect(encodingFor(header)).toBe('identity');
  });

  test.each([
    'gzip',
    'GZIP',
    'gzip;q=1',
    'gzip; q=0.001',
    'br, gzip',
    'gzip, deflate, br, zstd',
    'deflate, gzip;q=1.0, *;q=0.5',
    '*',
    'br, *',
    'gzip, identity;q=0',
    'identity;q=0.5, gzip;q=0.8',
    'identity;q=0, *',
    ' gzip ',
  ])('gzip for %j', (header) => {
    expect(encodingFor(header)).toBe('gzip');
  });

  test('no header, however odd, breaks the choice', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary-ascii', maxLength: 60 }), (header) => {
        expect(['gzip', 'identity']).toContain(encodingFor(header));
      }),
    );
  });

  test('each form has its own length and its own strong ETag', () => {
    const identity = chooseRepresentation({}, FILE);
    const gzip = chooseRepresentation({ 'accept-encoding': 'gzip' }, FILE);
    expect(identity.size).toBe(1000);
    expect(gzip.size).toBe(300);
    expect(identity.etag).not.toBe(gzip.etag);
    for (const { etag } of [identity, gzip]) expect(etag).toMatch(/^"[!#-~]+"$/);
    expect(identity.etag).toContain(SHA256);
    const other = { ...FILE, sha256: 'cd'.repeat(32) };
    expect(chooseRepresentation({}, other).etag).not.toBe(identity.etag);
  });
});

describe('If-None-Match', () => {
  const etag = '"abc"';
  test.each([etag, `W/${etag}`, '*', ' * ', `"x", ${etag}`, `"x",W/${etag} , "y"`])(
    '%s is current',
    (header) => {
      expect(isCurrent(header, etag)).toBe(true);
    },
  );
  test.each([undefined, '', 'abc', '"ABC"', '"abc', '"x"', '"abc"-gzip', '"abc-gzip"'])(
    '%s is not',
    (header) => {
      expect(isCurrent(header, etag)).toBe(false);
    },
  );
});

describe('Range', () => {
  const form: Representation = { encoding: 'identity', size: 1000, etag: '"abc"' };
  const choose = (range: string | undefined, ifRange?: string): ReturnType<typeof chooseRange> =>
    chooseRange(
      {
        ...(range !== undefined && { range }),
        ...(ifRange !== undefined && { 'if-range': ifRange }),
      },
      form,
    );

  test.each<[string, ByteRange]>([
    ['bytes=0-0', { start: 0, end: 0 }],
    ['bytes=0-499', { start: 0, end: 499 }],
    ['bytes=500-', { start: 500, end: 999 }],
    ['bytes=0-', { start: 0, end: 999 }],
    ['bytes=999-', { start: 999, end: 999 }],
    ['bytes=999-999', { start: 999, end: 999 }],
    ['bytes=500-5000', { start: 500, end: 999 }],
    ['bytes=500-99999999999999999999', { start: 500, end: 999 }],
    ['bytes=-1', { start: 999, end: 999 }],
    ['bytes=-500', { start: 500, end: 999 }],
    ['bytes=-1000', { start: 0, end: 999 }],
    ['bytes=-5000', { start: 0, end: 999 }],
  ])('%s', (range, expected) => {
    expect(choose(range)).toEqual(expected);
  });

  test.each(['bytes=1000-', 'bytes=1000-1000', 'bytes=5000-6000', 'bytes=-0'])(
    '%s cannot be satisfied',
    (range) => {
      expect(choose(range)).toBe('unsatisfiable');
    },
  );

  test.each([
    undefined,
    '',
    'bytes',
    'bytes=',
    'bytes=-',
    'bytes=a-b',
    'bytes=1-b',
    'bytes=5-2',
    'bytes=1.5-2',
    'bytes=0x1-2',
    'bytes=--5',
    'bytes 0-5',
    '0-5',
    'items=0-5',
    'bytes=0-1,5-6',
    'bytes=0-1, 500-',
    'bytes=0-0,-1',
  ])('%j is answered with the whole', (range) => {
    expect(choose(range)).toBe('whole');
  });

  test('If-Range: only the very same strong ETag lets the range stand', () => {
    expect(choose('bytes=0-9', '"abc"')).toEqual({ start: 0, end: 9 });
    expect(choose('bytes=0-9', ' "abc" ')).toEqual({ start: 0, end: 9 });
    for (const other of [
      'W/"abc"',
      '"abcd"',
      '"abc-gzip"',
      'abc',
      '',
      '*',
      'Wed, 21 Oct 2026 07:28:00 GMT',
    ])
      expect(choose('bytes=0-9', other)).toBe('whole');
    expect(choose('bytes=5000-', '"other"')).toBe('whole');
  });

  test("a range belongs to its form: the other form's ETag does not match", () => {
    const headers = { 'accept-encoding': 'gzip' };
    const gzip = chooseRepresentation(headers, FILE);
    const identity = chooseRepresentation({}, FILE);
    const range = 'bytes=10-';
    expect(chooseRange({ range, 'if-range': identity.etag }, gzip)).toBe('whole');
    expect(chooseRange({ range, 'if-range': gzip.etag }, gzip)).toEqual({ start: 10, end: 299 });
    expect(chooseRange({ range, 'if-range': gzip.etag }, identity)).toBe('whole');
  });

  test('what is chosen always lies within the file', () => {
    const bound = fc.oneof(fc.constant(''), fc.nat(3000).map(String));
    fc.assert(
      fc.property(bound, bound, fc.integer({ min: 1, max: 2000 }), (first, last, size) => {
        const chosen = chooseRange({ range: `bytes=${first}-${last}` }, { ...form, size });
        if (typeof chosen === 'string') return;
        expect(chosen.start).toBeGreaterThanOrEqual(0);
        expect(chosen.end).toBeGreaterThanOrEqual(chosen.start);
        expect(chosen.end).toBeLessThan(size);
      }),
      { numRuns: 500 },
    );
  });
});

describe('headers longer than any that a client sends', () => {
  const blanks = ' '.repeat(16_000);

  test.each([`bytes=${blanks}x`, `bytes=${blanks}0-1`, `bytes=0-${'9'.repeat(16_000)}`, blanks])(
    'a Range is answered with the whole',
    (range) => {
      expect(chooseRange({ range }, chooseRepresentation({}, FILE))).toBe('whole');
    },
  );

  test('an Accept-Encoding is answered with identity', () => {
    const encoding = (accepted: string): string =>
      chooseRepresentation({ 'accept-encoding': accepted }, FILE).encoding;
    expect(encoding(`${'gzip,'.repeat(200)}gzip`)).toBe('gzip');
    expect(encoding(`${'gzip,'.repeat(3_000)}gzip`)).toBe('identity');
    expect(encoding(`gzip${blanks}`)).toBe('identity');
  });

  test('an If-None-Match never matches', () => {
    expect(isCurrent(`${'"x",'.repeat(100)}"abc"`, '"abc"')).toBe(true);
    expect(isCurrent(`${'"x",'.repeat(4_000)}"abc"`, '"abc"')).toBe(false);
  });
});
