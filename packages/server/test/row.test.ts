import { DAY_MS, MAX_OBJECT_TIME_MS, MEMBERS, type ExportType } from '@tillroll/contract';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BadLine } from '../src/ingest/errors.ts';
import { RELATIONS } from '../src/ingest/relations.ts';
import { MAX_LEAD_MS, RowParser, type Row } from '../src/ingest/row.ts';

const NOW = 1_790_000_000_000;
const ORDER = { id: 'A1', createdTime: 1000, modifiedTime: 2000 };

function parse(text: string | Buffer, type: ExportType = 'ORDERS', number = 7): Row {
  return new RowParser(type, NOW).parse({ number, bytes: Buffer.from(text) });
}

/** The message of the BadLine. */
function refusal(text: string | Buffer, type: ExportType = 'ORDERS'): string {
  try {
    parse(text, type);
  } catch (error) {
    if (error instanceof BadLine) return error.message;
    throw error;
  }
  throw new Error(`accepted: ${text.toString()}`);
}

function withMember(member: string, json: string | undefined): string {
  const rest = Object.entries(ORDER)
    .filter(([name]) => name !== member)
    .map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`);
  return `{${[...rest, ...(json === undefined ? [] : [`"${member}":${json}`])].join(',')}}`;
}

describe('a line that is not an object', () => {
  test.each([
    ['[]', 'must be a JSON object; got []'],
    ['null', 'must be a JSON object; got null'],
    ['"A"', 'must be a JSON object; got "A"'],
    ['1', 'must be a JSON object; got 1'],
    ['true', 'must be a JSON object; got true'],
    ['{', 'not valid JSON'],
    ['{"id":"A",}', 'not valid JSON'],
    ["{'id':'A'}", 'not valid JSON'],
    ['{"id":NaN}', 'not valid JSON'],
    ['{"id":"A"} x', 'not valid JSON'],
    ['{"id":"A\u0001"}', 'not valid JSON'],
    ['\ufeff{"id":"A"}', 'not valid JSON'],
  ])('%s', (text, reason) => {
    const message = refusal(text);
    expect(message).toContain(`line 7: ${reason}`);
    expect(message).toContain('nothing of this request was stored');
  });

  test('invalid UTF-8 is refused, not repaired', () => {
    const whole = Buffer.from(JSON.stringify({ ...ORDER, note: 'é' }));
    const at = whole.indexOf(0xc3);
    const broken = Buffer.concat([whole.subarray(0, at), whole.subarray(at + 1)]);
    expect(refusal(broken)).toContain('line 7: not valid UTF-8');
    expect(refusal(Buffer.from([0xff]))).toContain('line 7: not valid UTF-8');
  });

  test('nesting deeper than any stack does not end the process', () => {
    const depth = 200_000;
    const deep = `${'['.repeat(depth)}${']'.repeat(depth)}`;
    expect(refusal(deep).length).toBeLessThan(400);
    expect(refusal(withMember('id', deep)).length).toBeLessThan(400);
    expect(refusal(withMember('x', deep))).toContain('nested deeper than 500 levels');
  });

  test('a long value is cut in the message', () => {
    expect(refusal(withMember('id', `"${'x'.repeat(100_000)}"`)).length).toBeLessThan(400);
    expect(refusal(`[${'"x",'.repeat(50_000)}1]`).length).toBeLessThan(400);
  });
});

describe('members', () => {
  const times = [
    undefined,
    'null',
    '-1',
    '1.5',
    '1e400',
    '"1000"',
    '""',
    'true',
    '{}',
    '[1000]',
    String(MAX_OBJECT_TIME_MS + 1),
    '9007199254740993',
  ];
  test.each(times)('createdTime %s is refused', (json) => {
    expect(refusal(withMember('createdTime', json))).toContain(
      `line 7: createdTime must be a whole number of epoch milliseconds from 0 to ${MAX_OBJECT_TIME_MS}`,
    );
  });

  test.each(times.slice(2))('modifiedTime %s is refused', (json) => {
    expect(refusal(withMember('modifiedTime', json))).toContain(
      'line 7: modifiedTime must be a whole number of epoch milliseconds',
    );
  });

  test.each([
    [undefined, 'nothing'],
    ['null', 'nothing'],
    ['""', '""'],
    ['1', '1'],
    ['["A"]', '["A"]'],
    ['"a\\u0000b"', '"a\\u0000b"'],
    ['"a\\nb"', '"a\\nb"'],
    ['"\\u007f"', ''],
    ['"\\ud800"', '"\\ud800"'],
    [`"${'x'.repeat(65)}"`, `"${'x'.repeat(65)}"`],
    [`"${'é'.repeat(33)}"`, ''],
    [`"${'😀'.repeat(17)}"`, ''],
  ])('id %s is refused', (json, shown) => {
    const message = refusal(withMember('id', json));
    expect(message).toMatch(/^line 7: id must be (a string|text that UTF-8 can hold)/);
    expect(message).toContain(shown);
    expect(message).toContain('; got ');
  });

  test.each(['x'.repeat(64), 'é'.repeat(32), '😀'.repeat(16), ' ', '../..', "'; DROP", '\u00a0'])(
    'id %j passes',
    (id) => {
      expect(parse(JSON.stringify({ ...ORDER, id })).id).toBe(id);
    },
  );

  test.each([
    ['ORDERS', 'total'],
    ['PAYMENTS', 'amount'],
    ['PAYMENTS', 'tipAmount'],
    ['PAYMENTS', 'taxAmount'],
  ] as const)('%s %s is a whole number', (type, member) => {
    const { columns } = RELATIONS[type];
    for (const json of [
      '1.5',
      '1.0',
      '1e3',
      '-0',
      '"1"',
      'true',
      '{}',
      '9007199254740992',
      '1e400',
    ]) {
      expect(refusal(withMember(member, json), type)).toContain(
        `line 7: ${member} must be a whole number written in digits alone, such as 1250, from -9007199254740991 to 9007199254740991; got ${json}`,
      );
    }
    const column = columns.findIndex((each) => each.member === member);
    for (const value of [0, -5, 1999, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER])
      expect(parse(withMember(member, String(value)), type).values[column]).toBe(value);
    expect(parse(withMember(member, 'null'), type).values[column]).toBeNull();
    expect(parse(withMember(member, undefined), type).values[column]).toBeNull();
  });

  test.each([
    ['ORDERS', 'currency'],
    ['PAYMENTS', 'currency'],
    ['PAYMENTS', 'result'],
  ] as const)('%s %s is a short text', (type, member) => {
    const { columns } = RELATIONS[type];
    for (const json of ['1', 'false', '[]', `"${'x'.repeat(65)}"`, '"a\\u0000"', '"\\udc00"']) {
      expect(refusal(withMember(member, json), type)).toMatch(
        new RegExp(
          `^line 7: ${member} must be (a string of at most 64 characters, or absent|text that UTF-8 can hold); got `,
        ),
      );
    }
    const column = columns.findIndex((each) => each.member === member);
    expect(parse(withMember(member, '"EUR"'), type).values[column]).toBe('EUR');
    expect(parse(withMember(member, '""'), type).values[column]).toBe('');
  });

  test('a missing modifiedTime, or null, is createdTime', () => {
    expect(parse(withMember('modifiedTime', undefined)).modifiedTime).toBe(1000);
    expect(parse(withMember('modifiedTime', 'null')).modifiedTime).toBe(1000);
  });

  test('modifiedTime may be a day ahead of the clock, and not a millisecond more', () => {
    expect(MAX_LEAD_MS).toBe(DAY_MS);
    const latest = NOW + DAY_MS;
    expect(parse(withMember('modifiedTime', String(latest))).modifiedTime).toBe(latest);
    expect(refusal(withMember('modifiedTime', String(latest + 1)))).toContain(
      `line 7: modifiedTime must be at most one day after now (${NOW}); got ${latest + 1}`,
    );
  });

  test('a createdTime that stands for modifiedTime has the same limit, and is named', () => {
    const latest = NOW + DAY_MS;
    const createdAt = (time: number): string => `{"id":"A","createdTime":${time}}`;
    expect(parse(createdAt(latest)).modifiedTime).toBe(latest);
    expect(refusal(createdAt(latest + 1))).toMatch(
      new RegExp(`^line 7: createdTime\\b.* at most one day after now .*; got ${latest + 1};`),
    );
  });

  test('with a modifiedTime of its own, createdTime may lie ahead (a booked order)', () => {
    const booked = NOW + 90 * DAY_MS;
    expect(parse(withMember('createdTime', String(booked)))).toMatchObject({
      createdTime: booked,
      modifiedTime: 2000,
    });
  });

  test('prototypes give nothing and take nothing', () => {
    expect(refusal('{"__proto__":{"id":"A","createdTime":1}}')).toContain('id must be');
    expect(refusal('{"id":"A","__proto__":{"createdTime":1}}')).toContain('createdTime must be');
    expect(parse('{"id":"A","createdTime":1,"__proto__":{"total":"x"}}').values).toEqual([
      null,
      null,
    ]);
    expect(Object.hasOwn(Object.prototype, 'total')).toBe(false);
  });

  test('the values come in the order of the columns', () => {
    const payment = {
      result: 'SUCCESS',
      taxAmount: 3,
      tipAmount: 2,
      amount: 1,
      currency: 'USD',
      ...ORDER,
    };
    expect(parse(JSON.stringify(payment), 'PAYMENTS').values).toEqual(['USD', 1, 2, 3, 'SUCCESS']);
  });
});

test('the bytes of any valid object are kept as they are', () => {
  const space = fc.constantFrom('', ' ', '\t', '  ');
  fc.assert(
    fc.property(
      fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue(), { maxKeys: 6 }),
      fc.stringMatching(/^[!-~é😀]{1,16}$/u),
      // Between the two a time looks like seconds, and is refused.
      fc.oneof(
        fc.integer({ min: 0, max: 99_999_999 }),
        fc.integer({ min: 1e12, max: NOW + DAY_MS }),
      ),
      space,
      space,
      (others, id, createdTime, before, after) => {
        const rest = { ...others };
        for (const name of Object.keys(MEMBERS.ORDERS)) delete rest[name];
        const text = JSON.stringify({ ...rest, id, createdTime });
        // Escaped and raw forms of the same text are different bytes; both must stay.
        const bytes = Buffer.from(before + text.replaceAll('/', '\\/') + after);
        const copy = Buffer.from(bytes);
        const row = parse(bytes, 'ORDERS', 3);
        expect(row.object.equals(copy)).toBe(true);
        expect(row).toMatchObject({ line: 3, id, createdTime, modifiedTime: createdTime });
      },
    ),
    { numRuns: 500 },
  );
});
