import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { emptyMembers, MEMBER_TABLE, readMembers, type Members } from '../src/json/members.ts';
import { Scanner } from '../src/json/scanner.ts';
import { INCOMPLETE, JsonFault } from '../src/json/validator.ts';
import { damage, damaged, judged, parseMembers, objectText } from './json-texts.ts';

const scanner = new Scanner(MEMBER_TABLE);

/** Scans the object that begins at `start`, and reads its members when all of it is there. */
function scanObject(bytes: Buffer, start: number, end: number, members: Members): number {
  const after = scanner.scan(bytes, start, end);
  if (after !== INCOMPLETE) readMembers(scanner, bytes, members);
  return after;
}

function scanned(text: string | Buffer): { after: number; members: Members } {
  const bytes = Buffer.from(text as string);
  const members = emptyMembers();
  return { after: scanObject(bytes, 0, bytes.length, members), members };
}

function findFault(text: string | Buffer): number | undefined {
  try {
    scanned(text);
    return undefined;
  } catch (error) {
    if (error instanceof JsonFault) return error.at;
    throw error;
  }
}

/** Tells whether the bytes are one object, followed by nothing but blanks. */
function accepts(bytes: Buffer): boolean {
  try {
    const { after } = scanned(bytes);
    return after !== INCOMPLETE && /^[ \t\r\n]*$/.test(bytes.toString('latin1', after));
  } catch (error) {
    if (error instanceof JsonFault) return false;
    throw error;
  }
}

describe('an object', () => {
  test('is read to its end, with the members that JSON.parse finds', () => {
    fc.assert(
      fc.property(objectText, (text) => {
        const { after, members } = scanned(text);
        expect(after).toBe(Buffer.byteLength(text));
        expect(members).toEqual(parseMembers(text));
      }),
      { numRuns: 2000 },
    );
  });

  test('is the same in the midst of other bytes, and leaves nothing of the one before', () => {
    fc.assert(
      fc.property(
        objectText,
        objectText,
        fc.string({ unit: 'binary', maxLength: 9 }),
        (a, b, around) => {
          const bytes = Buffer.from(`${around}${a},${b}${around}`);
          const members = emptyMembers();
          const start = Buffer.byteLength(around);
          const after = scanObject(bytes, start, bytes.length, members);
          expect(after).toBe(start + Buffer.byteLength(a));
          expect(scanObject(bytes, after + 1, bytes.length, members)).toBe(
            after + 1 + Buffer.byteLength(b),
          );
          expect(members).toEqual(parseMembers(b));
        },
      ),
    );
  });

  test('is incomplete, and no fault, wherever it is cut', () => {
    fc.assert(
      fc.property(objectText, (text) => {
        const bytes = Buffer.from(text);
        for (let end = 1; end < bytes.length; end++) {
          const members = emptyMembers();
          // Bytes after `end` do not count, whatever they hold.
          expect(scanObject(bytes, 0, end, members)).toBe(INCOMPLETE);
          expect(scanned(bytes.subarray(0, end)).after).toBe(INCOMPLETE);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('that is damaged is taken when JSON.parse takes it, and only then', () => {
    let taken = 0;
    let refused = 0;
    fc.assert(
      fc.property(objectText, damage, (text, how) => {
        const bytes = damaged(Buffer.from(text), how);
        // The reader checks that it is UTF-8.
        if (!isUtf8(bytes)) return;
        const value = judged(bytes);
        const isObject = typeof value === 'object' && value !== null && bytes[0] === 0x7b;
        expect(accepts(bytes)).toBe(isObject);
        if (isObject) taken++;
        else refused++;
        if (isObject)
          expect(scanned(bytes).members).toEqual(parseMembers(bytes.toString().trimEnd()));
      }),
      { numRuns: 5000 },
    );
    expect(Math.min(taken, refused)).toBeGreaterThan(100);
  });

  test.each([
    ['{"a":1,}', 7],
    ['{,}', 1],
    ['{"a" 1}', 5],
    ['{"a":}', 5],
    ['{"a":[1,]}', 8],
    ['{"a":[1}', 7],
    ['{"a":[}', 6],
    ['{"a":{]', 6],
    ['{"a":1 2}', 7],
    ['{"a":01}', 6],
    ['{"a":-}', 6],
    ['{"a":-x}', 6],
    ['{"a":1.}', 7],
    ['{"a":.5}', 5],
    ['{"a":+1}', 5],
    ['{"a":1e}', 7],
    ['{"a":1e+}', 8],
    ['{"a":NaN}', 5],
    ['{"a":nulL}', 8],
    ['{"a":tru}', 8],
    ['{"a":True}', 5],
    ["{'a':1}", 1],
    ['{a:1}', 1],
    ['{"a":"\t"}', 6],
    ['{"a":"\\x"}', 7],
    ['{"a":"\\u12G4"}', 10],
    ['{"a":"\\u+123"}', 8],
    ['{"a\n":1}', 3],
    ['{\u00a0}', 1],
    ['{\f}', 1],
    ['{"a"\v:1}', 4],
    ['[1]', 0],
    [' {}', 0],
    ['"x"', 0],
    ['{"a":/**/1}', 5],
    ['{"a":1]', 6],
  ])('%j is at fault at byte %i', (text, at) => {
    expect(judged(Buffer.from(text))).toSatisfy((value) => value === undefined || text[0] !== '{');
    expect(findFault(text)).toBe(at);
  });

  test('may be nested 512 deep, and no deeper', () => {
    const nested = (depth: number, open: string, close: string): string =>
      `{"id":"A","deep":${open.repeat(depth - 1)}${close.repeat(depth - 1)},"total":7}`;
    expect(scanned(nested(512, '[', ']')).members).toMatchObject({ id: 'A', total: 7 });
    expect(findFault(nested(513, '[', ']'))).toBe('{"id":"A","deep":'.length + 511);
    const objects = `{"id":"A","deep":${'{"id":'.repeat(511)}1${'}'.repeat(511)},"total":7}`;
    expect(scanned(objects).members).toMatchObject({ id: 'A', total: 7 });
    expect(() => scanned(nested(1_000_000, '[', ']'))).toThrow(JsonFault);
  });

  test('counts a member of its own alone, and the last one of a name', () => {
    const { members } = scanned(
      '{"id":"first","order":{"id":"no","total":1},"list":[{"amount":5}],"id":"last","total":3,"amount":2,"amount":"2"}',
    );
    expect(members).toMatchObject({ id: 'last', total: 3, amount: Number.NaN });
    expect(scanned('{"id":"a","id":{"id":"b"}}').members.id).toBe('');
    expect(scanned('{"id":"a","\\u0069d":"b"}').members.id).toBe('b');
    expect(scanned('{"created\\u0054ime":5}').members.createdTime).toBe(5);
    expect(scanned('{"\\u0069d":"\\u0041","note":"\\n"}').members.id).toBe('A');
    // A name that only looks like one with an escape.
    expect(scanned('{"\\\\u0069d":"b"}').members.id).toBe('');
  });

  test('tells amounts that are absent, wrong, and too long for a number apart', () => {
    const { members } = scanned(
      '{"total":null,"amount":"5","tipAmount":9007199254740993,"taxAmount":1e300}',
    );
    expect(members).toMatchObject({
      total: null,
      amount: Number.NaN,
      tipAmount: 9007199254740993n,
      taxAmount: Number.NaN,
    });
    expect(scanned('{"total":1250.0,"total":null}').members.total).toBeNull();
  });

  test('sums its refunds, each of them', () => {
    const refunds = [
      '{"id":"R","amount":5}',
      '{"id":"R","amount":5}',
      '{"amount":9007199254740991}',
      '{"id":"none"}',
      '{"amount":null}',
      '{"amount":"7"}',
      '{"amount":-1,"payment":{"amount":99}}',
    ];
    const { members } = scanned(`{"id":"P","refunds":{"elements":[${refunds.join(',')}]}}`);
    expect(members).toMatchObject({
      refunds: 7,
      refundAmount: 9007199254741000n,
      refundsWithoutAmount: 3,
    });
    for (const none of ['null', '[]', '{}', '{"elements":null}', '{"elements":[]}'])
      expect(scanned(`{"refunds":${none}}`).members.refunds).toBe(0);
  });
});
