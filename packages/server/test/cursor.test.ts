import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Cursors, type ChangeFeed } from '../src/exports/cursor.ts';

const cursors = new Cursors('a key of the database');
const FEED: ChangeFeed = { merchantId: 'M1', type: 'ORDERS' };
const point = fc.record({
  number: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  mark: fc.constantFrom('', '0123456789abcdef0123456789abcdef'),
});

describe('a cursor', () => {
  test('comes back as it was made; a mark loses its dashes', () => {
    fc.assert(
      fc.property(point, (at) => {
        expect(cursors.decode(FEED, cursors.encode(FEED, at))).toEqual(at);
      }),
    );
    const mark = '01234567-89ab-cdef-0123-456789abcdef';
    const decoded = cursors.decode(FEED, cursors.encode(FEED, { number: 7, mark }));
    expect(decoded).toEqual({ number: 7, mark: mark.replaceAll('-', '') });
  });

  test('is of one merchant, type and database', () => {
    const cursor = cursors.encode(FEED, { number: 7, mark: '' });
    expect(cursors.decode({ ...FEED, merchantId: 'M2' }, cursor)).toBeNull();
    expect(cursors.decode({ ...FEED, type: 'PAYMENTS' }, cursor)).toBeNull();
    expect(new Cursors('another key').decode(FEED, cursor)).toBeNull();
  });

  test('that was altered anywhere is none', () => {
    fc.assert(
      fc.property(point, fc.nat(), fc.integer({ min: 33, max: 126 }), (at, where, code) => {
        const cursor = cursors.encode(FEED, at);
        const i = where % cursor.length;
        const altered = cursor.slice(0, i) + String.fromCharCode(code) + cursor.slice(i + 1);
        if (altered !== cursor) expect(cursors.decode(FEED, altered)).toBeNull();
      }),
      { numRuns: 1000 },
    );
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(cursors.decode(FEED, text)).toBeNull();
      }),
    );
  });
});
