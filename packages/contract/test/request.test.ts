import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  DAY_MS,
  MAX_RANGE_MS,
  MAX_TIME_MS,
  parseExportRequest,
  parseTime,
  shown,
} from '../src/index.ts';

const START = Date.UTC(2026, 0, 1);
const DEFAULTS = { format: 'json', objectsPerFile: 1000 };
const good = { type: 'ORDERS', startTime: START, endTime: START + DAY_MS, ...DEFAULTS };

/** The details of a refusal; fails when it is none. */
function describeRefusal(body: unknown): string {
  const parsed = parseExportRequest(body);
  if (parsed.ok) throw new Error(`accepted: ${JSON.stringify(parsed.value)}`);
  return parsed.details;
}

/** Parses a request from JSON, as a server does. */
function fromJson(json: string): ReturnType<typeof parseExportRequest> {
  return parseExportRequest(JSON.parse(json));
}

describe('accepted', () => {
  test.each(['ORDERS', 'PAYMENTS'])('%s', (type) => {
    expect(parseExportRequest({ ...good, type })).toEqual({ ok: true, value: { ...good, type } });
  });

  test('30 days exactly, and 1 ms', () => {
    const month = { ...good, endTime: START + MAX_RANGE_MS };
    expect(MAX_RANGE_MS).toBe(2_592_000_000);
    expect(parseExportRequest(month)).toEqual({ ok: true, value: month });
    const instant = { ...good, endTime: START + 1 };
    expect(parseExportRequest(instant)).toEqual({ ok: true, value: instant });
  });

  test('the first and the last times there are', () => {
    const first = { ...good, startTime: 0, endTime: 1 };
    expect(parseExportRequest(first)).toEqual({ ok: true, value: first });
    const last = { ...good, startTime: MAX_TIME_MS - 1, endTime: MAX_TIME_MS };
    expect(parseExportRequest(last)).toEqual({ ok: true, value: last });
    expect(new Date(MAX_TIME_MS).getTime()).toBe(MAX_TIME_MS);
    expect(new Date(MAX_TIME_MS + 1).getTime()).toBeNaN();
  });

  test('times as strings of digits, or one of each', () => {
    const strings = { ...good, startTime: String(good.startTime), endTime: String(good.endTime) };
    expect(parseExportRequest(strings)).toEqual({ ok: true, value: good });
    expect(parseExportRequest({ ...good, endTime: strings.endTime })).toEqual({
      ok: true,
      value: good,
    });
  });

  test('whole numbers however JSON writes them; minus zero is zero', () => {
    expect(fromJson('{"type":"ORDERS","startTime":-0,"endTime":1.0}')).toStrictEqual({
      ok: true,
      value: { type: 'ORDERS', startTime: 0, endTime: 1, ...DEFAULTS },
    });
    expect(fromJson('{"type":"ORDERS","startTime":1e3,"endTime":2E3}')).toMatchObject({ ok: true });
  });

  test('members nobody knows are left out', () => {
    expect(parseExportRequest({ ...good, id: 'x', percentComplete: 7 })).toEqual({
      ok: true,
      value: good,
    });
    const json = JSON.stringify(good).replace(
      '{',
      '{"__proto__":{"type":"PAYMENTS"},"constructor":1,',
    );
    const parsed = fromJson(json);
    expect(parsed).toStrictEqual({ ok: true, value: good });
  });
});

describe('the files', () => {
  const { format: _format, objectsPerFile: _count, ...bare } = good;

  test('are as they always were unless asked for', () => {
    expect(parseExportRequest(bare)).toEqual({ ok: true, value: good });
  });

  test.each([
    { format: 'jsonl' },
    { objectsPerFile: 1000 },
    { objectsPerFile: 1_000_000 },
    { format: 'jsonl', objectsPerFile: 25_000 },
  ])('%j', (files) => {
    const value = { ...good, ...files };
    expect(parseExportRequest({ ...bare, ...files })).toEqual({ ok: true, value });
  });

  test.each(['JSON', 'csv', '', null, 1, ['jsonl'], {}])('format %j is refused', (format) => {
    expect(describeRefusal({ ...bare, format })).toBe(
      `format must be "json" or "jsonl"; got ${JSON.stringify(format)}`,
    );
  });

  test.each([999, 1_000_001, 0, -1000, 1000.5, '1000', null, true, [2000]])(
    'objectsPerFile %j is refused',
    (objectsPerFile) => {
      expect(describeRefusal({ ...bare, objectsPerFile })).toBe(
        `objectsPerFile must be a whole number from 1000 to 1000000; got ${JSON.stringify(objectsPerFile)}`,
      );
    },
  );
});

describe('refused', () => {
  test.each([
    [
      '30 days and 1 ms',
      START + MAX_RANGE_MS + 1,
      'may be at most 2592000000 ms (30 days); got 2592000001 ms',
    ],
    ['a year', START + 365 * DAY_MS, 'got 31536000000 ms'],
    [
      'an empty range',
      START,
      `endTime must be later than startTime; got startTime ${START} and endTime ${START}`,
    ],
    ['a range that ends before it starts', START - 1, 'endTime must be later than startTime'],
  ])('%s', (_name, endTime, message) => {
    expect(describeRefusal({ ...good, endTime })).toContain(message);
  });

  test('the whole of time', () => {
    expect(describeRefusal({ ...good, startTime: 0, endTime: MAX_TIME_MS })).toContain(
      `got ${MAX_TIME_MS} ms`,
    );
  });

  const times: [json: string, got: string][] = [
    ['1.5', '1.5'],
    ['-1', '-1'],
    ['1e400', 'Infinity'],
    ['-1e400', '-Infinity'],
    ['8640000000000001', '8640000000000001'],
    ['9007199254740993', '9007199254740992'],
    ['1e21', '1e+21'],
    ['"8640000000000001"', '"8640000000000001"'],
    ['"99999999999999999999"', '"99999999999999999999"'],
    ['""', '""'],
    ['" 1"', '" 1"'],
    ['"1\\n"', '"1\\n"'],
    ['"-1"', '"-1"'],
    ['"+1"', '"+1"'],
    ['"1.0"', '"1.0"'],
    ['"1e3"', '"1e3"'],
    ['"0x10"', '"0x10"'],
    ['"١"', '"١"'],
    ['"2026-01-01T00:00:00Z"', '"2026-01-01T00:00:00Z"'],
    ['null', 'null'],
    ['true', 'true'],
    ['[1]', '[1]'],
    ['{"valueOf":1}', '{"valueOf":1}'],
  ];
  test.each(times)('the time %s', (json, got) => {
    const allowed = `must be a whole number of UTC epoch milliseconds from 0 to ${MAX_TIME_MS}, as a number or as a string of digits; got ${got}`;
    for (const member of ['startTime', 'endTime']) {
      const body = JSON.parse(
        JSON.stringify(good).replace(new RegExp(`("${member}":)\\d+`), `$1${json}`),
      );
      expect(describeRefusal(body)).toBe(`${member} ${allowed}`);
    }
  });

  test.each(['type', 'startTime', 'endTime'])('no %s', (member) => {
    const { [member as 'type']: _, ...rest } = good;
    expect(describeRefusal(rest)).toMatch(new RegExp(`^${member} must be .*; got nothing$`));
  });

  test.each(['"orders"', '"ORDERS "', '"REFUNDS"', '["ORDERS"]', 'null', '0', '"toString"', '""'])(
    'the type %s',
    (type) => {
      const body = JSON.stringify(good).replace('"ORDERS"', type);
      expect(describeRefusal(JSON.parse(body))).toBe(
        `type must be "ORDERS" or "PAYMENTS"; got ${type}`,
      );
    },
  );

  test.each(['null', '[]', '"ORDERS"', '1', 'true', `[${JSON.stringify(good)}]`])(
    'the body %s',
    (json) => {
      expect(describeRefusal(JSON.parse(json))).toMatch(/^the body must be a JSON object .*; got /);
    },
  );

  test('members that are inherited, also by way of `__proto__`', () => {
    expect(describeRefusal(JSON.parse(`{"__proto__":${JSON.stringify(good)}}`))).toContain(
      'got nothing',
    );
    expect(describeRefusal(Object.create(good))).toContain('type must be');
    expect(describeRefusal({ ...Object.create(null), ...good, endTime: undefined })).toContain(
      'endTime',
    );
  });
});

describe('any value', () => {
  test('is accepted as a request only when it is one, and is never thrown at', () => {
    const time = fc.oneof(
      fc.anything(),
      fc.maxSafeInteger(),
      fc.nat().map(String),
      fc.constant(START),
    );
    const body = fc.oneof(
      fc.anything({
        withBigInt: true,
        withDate: true,
        withNullPrototype: true,
        withSparseArray: true,
      }),
      fc.record({
        type: fc.constantFrom('ORDERS', 'PAYMENTS', 'X'),
        startTime: time,
        endTime: time,
      }),
    );
    fc.assert(
      fc.property(body, (value) => {
        const parsed = parseExportRequest(value);
        if (!parsed.ok) return parsed.details.length > 0 && parsed.details.length < 400;
        const { startTime, endTime } = parsed.value;
        return (
          Number.isInteger(startTime) &&
          0 <= startTime &&
          startTime < endTime &&
          endTime <= MAX_TIME_MS &&
          endTime - startTime <= MAX_RANGE_MS
        );
      }),
      { numRuns: 2000 },
    );
  });

  test('a range of up to 30 days is what comes back, as numbers or strings', () => {
    const range = fc
      .tuple(
        fc.integer({ min: 0, max: MAX_TIME_MS - 1 }),
        fc.integer({ min: 1, max: MAX_RANGE_MS }),
      )
      .map(([startTime, length]) => ({
        startTime,
        endTime: Math.min(startTime + length, MAX_TIME_MS),
      }));
    fc.assert(
      fc.property(range, ({ startTime, endTime }) => {
        const value = { type: 'PAYMENTS', startTime, endTime, ...DEFAULTS };
        expect(parseExportRequest(value)).toEqual({ ok: true, value });
        const strings = { ...value, startTime: String(startTime), endTime: String(endTime) };
        expect(parseExportRequest(strings)).toEqual({ ok: true, value });
      }),
    );
  });
});

describe('a value in a message', () => {
  test.each([
    [undefined, 'nothing'],
    [Number.NaN, 'NaN'],
    ['a"b\n', '"a\\"b\\n"'],
    [10n, 'bigint'],
    [Symbol('x'), 'symbol'],
    [() => {}, 'function'],
  ])('%s', (value, text) => {
    expect(shown(value)).toBe(text);
  });

  test('is cut after 80 characters', () => {
    expect(shown('x'.repeat(78))).toBe(`"${'x'.repeat(78)}"`);
    expect(shown('x'.repeat(79))).toBe(`"${'x'.repeat(79)}...`);
    expect(describeRefusal({ ...good, type: 'x'.repeat(1e6) }).length).toBeLessThan(200);
  });

  test('may be nested without end, or deeper than the stack', () => {
    const cycle: unknown[] = [];
    cycle.push(cycle);
    expect(shown(cycle)).toBe('object');
    expect(shown(JSON.parse('['.repeat(50_000) + ']'.repeat(50_000))).length).toBeLessThan(90);
  });
});

test('a time names its member', () => {
  expect(parseTime('since', '12')).toEqual({ ok: true, value: 12 });
  expect(parseTime('since', 'x')).toMatchObject({
    ok: false,
    details: expect.stringMatching(/^since must be/),
  });
});
