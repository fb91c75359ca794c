import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import {
  type Counts,
  DAY,
  type ExportType,
  HOUR,
  freshId,
  json,
  line,
  main,
  nobody,
  other,
  periodOf,
  readOrders,
  revoked,
  target,
} from './api.ts';
import { type Answer, dropAfter, exact } from './exact.ts';
import { expectError, expectJsonObject, expectUnauthorized } from './shapes.ts';

const START = periodOf(2008);
let spans = 0;
/** The start of a minute that no other test uses. */
const minute = (): number => START + 60_000 * spans++;
const stored = (start: number, type: ExportType = 'ORDERS') =>
  main.objects(type, start, start + 60_000);
const zero: Counts = { received: 0, inserted: 0, updated: 0, unchanged: 0, stale: 0 };
const counts = (some: Partial<Counts>): Counts => ({ ...zero, ...some });
const MiB = 1024 * 1024;

function three(start: number): string[] {
  return [line(start), line(start + 1, { note: 'caf\u00e9 \u{1f950}' }), line(start + 2)];
}

function expectCounts(answer: Answer, expected: Counts): void {
  expect(answer.status, answer.text.slice(0, 500)).toBe(200);
  expect(json<Counts>(answer)).toEqual(expected);
}

/** Refused as a whole: the same good lines are all new when they are sent again. */
async function expectNothingStored(
  start: number,
  lines: readonly string[],
  type: ExportType = 'ORDERS',
): Promise<void> {
  expect(await stored(start, type)).toEqual([]);
  expect(await main.load(type, lines)).toEqual(
    counts({ received: lines.length, inserted: lines.length }),
  );
}

describe('POST /v3/merchants/{mId}/orders/bulk and .../payments/bulk take NDJSON', () => {
  test.for(['ORDERS', 'PAYMENTS'] as const)(
    '%s: the objects come back, and the answer counts them',
    async (type) => {
      const start = minute();
      const lines = three(start);
      const answer = await main.bulk(type, `${lines.join('\n')}\n`);
      expect(answer.headers.get('content-type')).toMatch(/^application\/json\b/);
      expectCounts(answer, counts({ received: 3, inserted: 3 }));
      expect(await stored(start, type)).toEqual(lines);
    },
  );

  test.for([
    ['without a trailing newline', (lines: string[]) => lines.join('\n')],
    ['with CRLF', (lines: string[]) => lines.map((one) => `${one}\r\n`).join('')],
    ['with CRLF and no newline at the end', (lines: string[]) => lines.join('\r\n')],
    ['with a BOM', (lines: string[]) => `\ufeff${lines.join('\n')}\n`],
    ['with a BOM and CRLF', (lines: string[]) => `\ufeff${lines.join('\r\n')}\r\n`],
    [
      'with empty lines at the start, inside and at the end',
      (lines: string[]) => `\n\n${lines.join('\n\n\n')}\n\n`,
    ],
    ['with empty CRLF lines', (lines: string[]) => `\r\n${lines.join('\r\n\r\n')}\r\n\r\n`],
  ] as const)('%s: the same objects, byte for byte', async ([, body]) => {
    const start = minute();
    const lines = three(start);
    expectCounts(await main.bulk('ORDERS', body([...lines])), counts({ received: 3, inserted: 3 }));
    expect(await stored(start)).toEqual(lines);
  });

  test('Content-Encoding: gzip', async () => {
    const start = minute();
    const lines = three(start);
    const answer = await main.bulk('ORDERS', gzipSync(lines.join('\n')), {
      'content-encoding': 'gzip',
    });
    expectCounts(answer, counts({ received: 3, inserted: 3 }));
    expect(await stored(start)).toEqual(lines);
  });

  test('gzip of several members, one after another, is one body', async () => {
    const start = minute();
    const lines = three(start);
    const body = Buffer.concat(lines.map((one) => gzipSync(`${one}\n`)));
    expectCounts(
      await main.bulk('ORDERS', body, { 'content-encoding': 'gzip' }),
      counts({ received: 3, inserted: 3 }),
    );
    expect(await stored(start)).toEqual(lines);
  });

  test('a body cut anywhere, even inside a character: chunks of one byte', async () => {
    const start = minute();
    const lines = three(start);
    const chunks = [...Buffer.from(lines.join('\r\n'))].map((byte) => Uint8Array.of(byte));
    expectCounts(await main.bulk('ORDERS', chunks), counts({ received: 3, inserted: 3 }));
    expect(await stored(start)).toEqual(lines);
  });

  test('chunked gzip in chunks of one byte', async () => {
    const start = minute();
    const lines = three(start);
    const chunks = [...gzipSync(lines.join('\n'))].map((byte) => Uint8Array.of(byte));
    expectCounts(
      await main.bulk('ORDERS', chunks, { 'content-encoding': 'gzip' }),
      counts({ received: 3, inserted: 3 }),
    );
    expect(await stored(start)).toEqual(lines);
  });

  test('the token may come as access_token', async () => {
    const start = minute();
    const answer = await nobody.ask(`${main.bulkPath('ORDERS')}?access_token=${target.token}`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body: line(start),
    });
    expectCounts(answer, counts({ received: 1, inserted: 1 }));
  });

  test('a body without a line stores nothing, or is 400', async () => {
    for (const body of ['', '\n', '\ufeff']) {
      const answer = await main.bulk('ORDERS', body);
      if (answer.status === 400) expectError(answer, 400);
      else expectCounts(answer, zero);
    }
  });
});

describe('merging by (merchant, id)', () => {
  test('loading the same again changes nothing', async () => {
    const start = minute();
    const lines = three(start);
    await main.load('ORDERS', lines);
    expect(await main.load('ORDERS', lines)).toEqual(counts({ received: 3, unchanged: 3 }));
    expect(await stored(start)).toEqual(lines);
  });

  test('a higher modifiedTime replaces, a lower one is stale and changes nothing', async () => {
    const start = minute();
    const id = freshId();
    const version = (modifiedTime: number) =>
      line(start, { id, modifiedTime, v: modifiedTime - start });
    await main.load('ORDERS', [version(start + 10)]);
    expect(await main.load('ORDERS', [version(start + 9)])).toEqual(
      counts({ received: 1, stale: 1 }),
    );
    expect(await stored(start)).toEqual([version(start + 10)]);
    expect(await main.load('ORDERS', [version(start + 11)])).toEqual(
      counts({ received: 1, updated: 1 }),
    );
    expect(await stored(start)).toEqual([version(start + 11)]);
    expect(await main.load('ORDERS', [version(start + 10)])).toEqual(
      counts({ received: 1, stale: 1 }),
    );
    expect(await stored(start)).toEqual([version(start + 11)]);
  });

  test('the same modifiedTime replaces when the content differs, and only then', async () => {
    const start = minute();
    const id = freshId();
    const [a, b] = [line(start, { id, v: 1 }), line(start, { id, v: 2 })];
    await main.load('ORDERS', [a]);
    expect(await main.load('ORDERS', [b])).toEqual(counts({ received: 1, updated: 1 }));
    expect(await main.load('ORDERS', [b])).toEqual(counts({ received: 1, unchanged: 1 }));
    expect(await stored(start)).toEqual([b]);
  });

  test('a replacement with another createdTime moves the object to the other range', async () => {
    const [from, to] = [minute(), minute()];
    const id = freshId();
    await main.load('ORDERS', [line(from, { id })]);
    const moved = line(to, { id, modifiedTime: to + 1 });
    expect(await main.load('ORDERS', [moved])).toEqual(counts({ received: 1, updated: 1 }));
    expect(await stored(from)).toEqual([]);
    expect(await stored(to)).toEqual([moved]);
  });

  test('inside one request the highest modifiedTime wins', async () => {
    const start = minute();
    const id = freshId();
    const version = (v: number) => line(start, { id, modifiedTime: start + v, v });
    const got = await main.load('ORDERS', [version(2), version(5), version(3)]);
    expect(got).toMatchObject({ received: 3, inserted: 1, updated: 0 });
    expect(got.inserted + got.updated + got.unchanged + got.stale).toBe(3);
    expect(await stored(start)).toEqual([version(5)]);
  });

  test('inside one request, on a tie of modifiedTime the later line wins', async () => {
    const start = minute();
    const id = freshId();
    const version = (v: number) => line(start, { id, v });
    const got = await main.load('ORDERS', [version(1), version(3), version(2)]);
    expect(got).toMatchObject({ received: 3, inserted: 1, updated: 0 });
    expect(got.inserted + got.updated + got.unchanged + got.stale).toBe(3);
    expect(await stored(start)).toEqual([version(2)]);
  });

  test('an id is its value, not how it is written', async () => {
    const start = minute();
    const id = freshId('A');
    const plain = `{"id":"${id}","createdTime":${start},"modifiedTime":${start},"v":1}`;
    const escaped = `{"\\u0069d":"\\u0041${id.slice(1)}","createdTime":${start},"modifiedTime":${start + 1},"v":2}`;
    await main.load('ORDERS', [plain]);
    expect(await main.load('ORDERS', [escaped])).toEqual(counts({ received: 1, updated: 1 }));
    expect(await stored(start)).toEqual([escaped]);
  });

  test('ids that differ in case are different objects', async () => {
    const start = minute();
    const id = freshId('A');
    const [upper, lower] = [line(start, { id }), line(start, { id: id.toLowerCase() })];
    expect(await main.load('ORDERS', [upper, lower])).toEqual(counts({ received: 2, inserted: 2 }));
    expect(await stored(start)).toEqual([upper, lower]);
  });

  test('a missing modifiedTime counts as createdTime', async () => {
    const start = minute();
    const id = freshId();
    const bare = JSON.stringify({ id, createdTime: start, v: 1 });
    expect(await main.load('ORDERS', [bare])).toEqual(counts({ received: 1, inserted: 1 }));
    expect(await main.load('ORDERS', [bare])).toEqual(counts({ received: 1, unchanged: 1 }));
    const older = line(start, { id, modifiedTime: start - 1, v: 2 });
    expect(await main.load('ORDERS', [older])).toEqual(counts({ received: 1, stale: 1 }));
    expect(await stored(start)).toEqual([bare]);
    const same = line(start, { id, modifiedTime: start, v: 3 });
    expect(await main.load('ORDERS', [same])).toEqual(counts({ received: 1, updated: 1 }));
    expect(await stored(start)).toEqual([same]);
  });

  test('received = inserted + updated + unchanged + stale', async () => {
    const start = minute();
    const ids = Array.from({ length: 400 }, () => freshId());
    const at = (i: number, v: number) =>
      line(start + i, { id: ids[i], modifiedTime: start + 1000 + v, v });
    const from = (a: number, b: number, v: number) => ids.slice(a, b).map((_, i) => at(a + i, v));
    expect(await main.load('ORDERS', from(0, 300, 0))).toEqual(
      counts({ received: 300, inserted: 300 }),
    );
    const mixed = [
      ...from(0, 100, -1),
      ...from(100, 200, 0),
      ...from(200, 300, 1),
      ...from(300, 400, 0),
    ];
    expect(await main.load('ORDERS', mixed)).toEqual({
      received: 400,
      inserted: 100,
      updated: 100,
      unchanged: 100,
      stale: 100,
    });
    expect(await stored(start)).toEqual([
      ...from(0, 200, 0),
      ...from(200, 300, 1),
      ...from(300, 400, 0),
    ]);
  });

  test('overlapping loads at once, in opposite order, all come through', async () => {
    const start = minute();
    const ids = Array.from({ length: 500 }, () => freshId());
    const load = (v: number) => {
      const lines = ids.map((id, i) => line(start + i, { id, modifiedTime: start + v, v }));
      return main.load('ORDERS', v % 2 === 0 ? lines : lines.reverse());
    };
    const answers = await Promise.all(Array.from({ length: 8 }, (_, v) => load(v)));
    for (const got of answers)
      expect(got.inserted + got.updated + got.unchanged + got.stale).toBe(500);
    expect(answers.reduce((sum, got) => sum + got.inserted, 0)).toBe(500);
    expect((await stored(start)).map((text) => (JSON.parse(text) as { v: number }).v)).toEqual(
      ids.map(() => 7),
    );
  });
});

describe('a bad line is 400 with line number, member and reason, and nothing of the request is stored', () => {
  const now = Date.now();
  const cases: [string, string, RegExp][] = [
    ['a broken line', '{"id":"x","createdTime":1', /./],
    ['text', 'hello', /./],
    ['an array', '[]', /./],
    ['null', 'null', /./],
    ['a string', '"x"', /./],
    ['a number', '5', /./],
    ['two objects', '{"id":"a","createdTime":1}{"id":"b","createdTime":1}', /./],
    ['NaN', '{"id":"x","createdTime":NaN}', /./],
    ['a raw control character in a string', '{"id":"x\u0001","createdTime":1}', /./],
    ['an empty object', '{}', /id|createdTime/],
    ['no id', '{"createdTime":1}', /\bid\b/],
    ['an id that is null', '{"id":null,"createdTime":1}', /\bid\b/],
    ['an id that is a number', '{"id":7,"createdTime":1}', /\bid\b/],
    ['an empty id', '{"id":"","createdTime":1}', /\bid\b/],
    ['an id by inheritance', '{"__proto__":{"id":"x"},"createdTime":1}', /\bid\b/],
    ['no createdTime', '{"id":"x","modifiedTime":1}', /createdTime/],
    ['createdTime null', '{"id":"x","createdTime":null}', /createdTime/],
    ['createdTime as a string', '{"id":"x","createdTime":"1000000000000"}', /createdTime/],
    ['createdTime as a date', '{"id":"x","createdTime":"2008-01-01T00:00:00Z"}', /createdTime/],
    ['createdTime as a float', '{"id":"x","createdTime":1.5}', /createdTime/],
    ['createdTime 1e400', '{"id":"x","createdTime":1e400}', /createdTime/],
    ['createdTime beyond 2^53', '{"id":"x","createdTime":9007199254740994}', /createdTime/],
    [
      'modifiedTime as a string',
      '{"id":"x","createdTime":1,"modifiedTime":"1000000000000"}',
      /modifiedTime/,
    ],
    ['modifiedTime true', '{"id":"x","createdTime":1,"modifiedTime":true}', /modifiedTime/],
    ['modifiedTime as a float', '{"id":"x","createdTime":1,"modifiedTime":1.5}', /modifiedTime/],
    [
      'modifiedTime 2 days in the future',
      `{"id":"x","createdTime":1,"modifiedTime":${now + 2 * DAY}}`,
      /modifiedTime/,
    ],
    [
      'createdTime 2 days in the future, standing for modifiedTime',
      `{"id":"x","createdTime":${now + 2 * DAY}}`,
      /modifiedTime|createdTime/,
    ],
  ];

  test.for(cases)('%s', async ([, bad, member]) => {
    for (const [type, place] of [
      ['ORDERS', 3],
      ['PAYMENTS', 1],
      ['ORDERS', 2],
    ] as const) {
      const start = minute();
      const good = three(start);
      const lines = [...good.slice(0, place - 1), bad, ...good.slice(place - 1)];
      const details = expectError(await main.bulk(type, lines.join('\n')), 400);
      expect(details).toMatch(new RegExp(`\\bline\\W*${place}\\b`, 'i'));
      expect(details).toMatch(member);
      await expectNothingStored(start, good, type);
    }
  });

  test('a broken last line behind 5,000 good ones: its number, and nothing stored', async () => {
    const start = minute();
    const good = Array.from({ length: 5000 }, (_, i) => line(start + i));
    const details = expectError(
      await main.bulk('ORDERS', `${good.join('\n')}\n${line(start).slice(0, -9)}`),
      400,
    );
    expect(details).toMatch(/\bline\W*5001\b/i);
    expect(details).not.toContain(good[0]);
    await expectNothingStored(start, good);
  });

  test('a refused request does not touch what was stored before', async () => {
    const start = minute();
    const id = freshId();
    const before = line(start, { id });
    await main.load('ORDERS', [before]);
    expectError(
      await main.bulk('ORDERS', `${line(start, { id, modifiedTime: start + 1 })}\n{`),
      400,
    );
    expect(await stored(start)).toEqual([before]);
  });

  test('modifiedTime less than a day in the future passes', async () => {
    const start = minute();
    const ahead = line(start, { modifiedTime: Date.now() + 23 * HOUR });
    expect(await main.load('ORDERS', [ahead])).toEqual(counts({ received: 1, inserted: 1 }));
    expect(await stored(start)).toEqual([ahead]);
  });

  test.for([
    ['a lone continuation byte', [0x80]],
    ['a character that is cut', [0xe2, 0x82]],
    ['an overlong slash', [0xc0, 0xaf]],
    ['a surrogate', [0xed, 0xa0, 0x80]],
    ['beyond U+10FFFF', [0xf4, 0x90, 0x80, 0x80]],
    ['latin1', [0xe9]],
  ] as const)('invalid UTF-8: %s', async ([, bytes]) => {
    const start = minute();
    const good = three(start);
    const bad = Buffer.concat([
      Buffer.from(`{"id":"x","createdTime":${start},"note":"`),
      Buffer.from(bytes),
      Buffer.from('"}'),
    ]);
    const body = Buffer.concat([Buffer.from(`${good.join('\n')}\n`), bad, Buffer.from('\n')]);
    expect(expectError(await main.bulk('ORDERS', body), 400)).toMatch(/\bline\W*4\b/i);
    await expectNothingStored(start, good);
  });
});

describe('hostile lines have a clear answer: stored byte for byte, or 400, never 500', () => {
  const cases: [string, (start: number) => string][] = [
    [
      'nested 1,000 deep',
      (start) => line(start).replace('}', `,"x":${'['.repeat(1000)}${']'.repeat(1000)}}`),
    ],
    [
      'nested 100,000 deep',
      (start) => line(start).replace('}', `,"x":${'['.repeat(100_000)}${']'.repeat(100_000)}}`),
    ],
    [
      'objects nested 50,000 deep',
      (start) => line(start).replace('}', `,"x":${'{"a":'.repeat(50_000)}1${'}'.repeat(50_001)}`),
    ],
    ['duplicate ids', (start) => line(start).replace('{', `{"id":"${freshId()}",`)],
    ['duplicate times', (start) => line(start).replace('{', '{"createdTime":1,')],
    [
      'an id of 10,000 characters',
      (start) => line(start, { id: Array.from({ length: 600 }, () => freshId()).join('') }),
    ],
    [
      'an id of 300 characters',
      (start) => line(start, { id: Array.from({ length: 18 }, () => freshId()).join('') }),
    ],
    ['an id with U+0000', (start) => line(start, { id: `${freshId()}\u0000x` })],
    ['an id with a lone surrogate', (start) => line(start, { id: `${freshId()}\ud800` })],
    ['an id with a line feed and a tab', (start) => line(start, { id: `${freshId()}\n\t\\.\\N` })],
    ['an id with spaces around it', (start) => line(start, { id: ` ${freshId()} ` })],
    ['createdTime negative', (start) => line(start, { createdTime: -1 })],
    [
      'createdTime as 1e12',
      (start) => line(start).replace(`"createdTime":${start}`, '"createdTime":1e12'),
    ],
    ['total as text', (start) => line(start, { total: 'x' })],
    ['total as a float', (start) => line(start, { total: 1.5 })],
    ['total beyond 64 bits', (start) => line(start, { total: 1e30 })],
    ['total 1e400', (start) => line(start, { total: 0 }).replace('"total":0', '"total":1e400')],
    ['total as an object', (start) => line(start, { total: { a: 1 } })],
    ['currency as a number', (start) => line(start, { currency: 5 })],
    ['currency with U+0000', (start) => line(start, { currency: 'U\u0000D' })],
    ['currency of 5,000 characters', (start) => line(start, { currency: 'X'.repeat(5000) })],
    ['result with a lone surrogate', (start) => line(start, { result: '\udfff' })],
  ];

  test.for(cases)('%s', async ([, make]) => {
    for (const type of ['ORDERS', 'PAYMENTS'] as const) {
      const start = minute();
      const text = make(start);
      const answer = await main.bulk(type, `${text}\n`);
      expect(answer.status, answer.text.slice(0, 300)).toBeOneOf([200, 400]);
      if (answer.status === 400) {
        expect(expectError(answer, 400)).toMatch(/\bline\W*1\b/i);
        expect(await stored(start, type)).toEqual([]);
        continue;
      }
      const { createdTime } = JSON.parse(text) as { createdTime: number };
      if (createdTime === start) expect(await stored(start, type)).toEqual([text]);
    }
  });
});

describe('at most 8 MiB a line', () => {
  /** A line of exactly so many bytes, without its newline. */
  function lineOf(start: number, bytes: number): string {
    const bare = line(start, { note: '' });
    return line(start, { note: 'x'.repeat(bytes - bare.length) });
  }

  test.for([
    ['5 MB', 5_000_000],
    ['8 MiB exactly', 8 * MiB],
  ] as const)('a line of %s passes and comes back byte for byte', async ([, bytes]) => {
    const start = minute();
    const lines = [line(start), lineOf(start + 1, bytes), line(start + 2)];
    expect(lines[1]).toHaveLength(bytes);
    expect(await main.load('ORDERS', lines)).toEqual(counts({ received: 3, inserted: 3 }));
    const back = await stored(start);
    expect(back.map((text) => text.length)).toEqual(lines.map((text) => text.length));
    expect(back.every((text, i) => text === lines[i])).toBe(true);
  });

  test.for([
    ['8 MiB and one byte', 8 * MiB + 1],
    ['9 MB', 9_000_000],
    ['40 MB', 40_000_000],
  ] as const)('a line of %s is 413 and nothing of the request is stored', async ([, bytes]) => {
    const start = minute();
    const good = three(start);
    expectError(await main.bulk('ORDERS', [...good, lineOf(start, bytes), ''].join('\n')), 413);
    await expectNothingStored(start, good);
  });

  test('after a 413 the connection is closed or good for the next request', async () => {
    const start = minute();
    const long = lineOf(start, 9_000_000);
    for (let i = 0; i < 4; i++) {
      expectError(await main.bulk('ORDERS', long), 413);
      expect((await exact(target.url, main.path, { headers: main.auth })).status).toBe(200);
      const small = await main.bulk('ORDERS', line(start, { note: i }));
      expectCounts(small, counts({ received: 1, inserted: 1 }));
    }
  });

  test('a body of many MB in many lines is not a long line', async () => {
    const start = minute();
    const lines = Array.from({ length: 20_000 }, (_, i) =>
      line(start + i, { note: 'y'.repeat(1000) }),
    );
    expect(await main.load('ORDERS', lines)).toEqual(
      counts({ received: 20_000, inserted: 20_000 }),
    );
    expect(await main.load('ORDERS', lines)).toEqual(
      counts({ received: 20_000, unchanged: 20_000 }),
    );
  });
});

describe('gzip that is not what it says', () => {
  const gzip = { 'content-encoding': 'gzip' };

  test('gzip that ends early is 400, and nothing is stored', async () => {
    const start = minute();
    const good = Array.from({ length: 500 }, (_, i) => line(start + i));
    const packed = gzipSync(`${good.join('\n')}\n`);
    for (const length of [
      packed.length - 1,
      packed.length - 8,
      packed.length - 9,
      packed.length >> 1,
      12,
      3,
    ]) {
      expectError(await main.bulk('ORDERS', packed.subarray(0, length), gzip), 400);
    }
    await expectNothingStored(start, good);
  });

  test('what is not gzip, or is damaged, is 400, and nothing is stored', async () => {
    const start = minute();
    const good = Array.from({ length: 500 }, (_, i) => line(start + i));
    const packed = gzipSync(`${good.join('\n')}\n`);
    const wrongSum = Buffer.from(packed);
    wrongSum[wrongSum.length - 6] = (wrongSum[wrongSum.length - 6] ?? 0) ^ 0xff;
    for (const body of [Buffer.from(good.join('\n')), wrongSum]) {
      expectError(await main.bulk('ORDERS', body, gzip), 400);
    }
    await expectNothingStored(start, good);
  });

  test('a line that inflates a thousandfold, past 8 MiB, is 413, and nothing is stored', async () => {
    const start = minute();
    const good = three(start);
    const body = gzipSync(
      Buffer.concat([
        Buffer.from(`${good.join('\n')}\n{"x":"`),
        Buffer.alloc(256 * MiB, 'a'),
        Buffer.from('"}\n'),
      ]),
    );
    expect(body.length).toBeLessThan(MiB);
    expectError(await main.bulk('ORDERS', body, gzip), 413);
    await expectNothingStored(start, good);
  });

  test('an unknown Content-Encoding is refused, not stored', async () => {
    const start = minute();
    const good = three(start);
    const answer = await main.bulk('ORDERS', good.join('\n'), { 'content-encoding': 'br' });
    expect(answer.status).toBeOneOf([400, 415]);
    expectJsonObject(answer);
    await expectNothingStored(start, good);
  });
});

describe('what one reader could not read, or would read otherwise, is 400 with line, member and reason', () => {
  const refused: [string, (start: number) => string, RegExp][] = [
    ['total twice', (start) => line(start, { total: 100 }).replace('}', ',"total":200}'), /total/],
    [
      'total twice, once in escapes',
      (start) => line(start, { total: 100 }).replace('}', ',"tot\\u0061l":100}'),
      /total/,
    ],
    ['id twice', (start) => line(start).replace('}', ',"id":"B"}'), /\bid\b/],
    [
      'a price twice in a line item',
      (start) =>
        line(start, { lineItems: { elements: [{ id: 'L' }] } }).replace(
          '"id":"L"',
          '"id":"L","price":1,"price":2',
        ),
      /price/,
    ],
    [
      'createdTime with a fraction of zero',
      (start) => line(start).replace(`"createdTime":${start}`, `"createdTime":${start}.0`),
      /createdTime/,
    ],
    [
      'createdTime with an exponent',
      (start) => line(start).replace(`"createdTime":${start}`, `"createdTime":${start}e0`),
      /createdTime/,
    ],
    ['createdTime in seconds', (start) => line(Math.floor(start / 1000)), /seconds/],
    ['createdTime in microseconds', (start) => line(start * 1000), /microseconds/],
    ['total with an exponent', (start) => line(start).replace('}', ',"total":1.25e3}'), /total/],
    ['total -0', (start) => line(start).replace('}', ',"total":-0}'), /total/],
    [
      'an amount of a refund with a fraction',
      (start) => line(start).replace('}', ',"refunds":{"elements":[{"id":"R","amount":100.0}]}}'),
      /refunds.*amount/,
    ],
    [
      'nested 600 deep',
      (start) => line(start).replace('}', `,"x":${'['.repeat(600)}${']'.repeat(600)}}`),
      /deep/,
    ],
  ];

  test.for(refused)('%s', async ([, make, reason]) => {
    for (const type of ['ORDERS', 'PAYMENTS'] as const) {
      const start = minute();
      const good = three(start);
      // Members that only an order has.
      if (type === 'PAYMENTS' && /lineItems|tot\\u0061l/.test(make(start))) continue;
      const body = [good[0], make(start), good[1]].join('\n').replaceAll('"total"', memberOf(type));
      const details = expectError(await main.bulk(type, body), 400);
      expect(details).toMatch(/\bline\W*2\b/i);
      if (type === 'ORDERS') expect(details).toMatch(reason);
      await expectNothingStored(start, good, type);
    }
  });

  const memberOf = (type: ExportType): string => (type === 'ORDERS' ? '"total"' : '"amount"');

  const found: [string, (lines: string[]) => string | Uint8Array, RegExp][] = [
    ['an array', (lines) => `[${lines.join(',')}]`, /array/],
    ['an array over several lines', (lines) => `[\n${lines.join(',\n')}\n]`, /array/],
    ['an envelope', (lines) => `{"elements":[${lines.join(',')}]}`, /elements/],
    ['CR alone', (lines) => lines.join('\r'), /carriage return/],
    ['record separators', (lines) => lines.map((one) => `\u001e${one}\n`).join(''), /separator/],
    ['UTF-16', (lines) => Buffer.from(`\ufeff${lines.join('\n')}`, 'utf16le'), /UTF-16/],
    [
      'UTF-16 without a mark',
      (lines) => Buffer.from(lines.join('\n'), 'utf16le').swap16(),
      /UTF-16/,
    ],
    ['a byte order mark in the middle', (lines) => lines.join('\n\ufeff'), /byte order mark/],
    [
      'objects over several lines',
      (lines) => lines.map((one) => JSON.stringify(JSON.parse(one), null, 2)).join('\n'),
      /line/,
    ],
    ['objects in quotes', (lines) => lines.map((one) => JSON.stringify(one)).join('\n'), /quotes/],
    ['gzip that is not announced', (lines) => gzipSync(lines.join('\n')), /Content-Encoding/],
    ['CSV', () => 'id,createdTime,total\nA,1767225601000,1\n', /CSV/],
    ['HTML', () => '<html><body>Bad Gateway</body></html>', /HTML/],
  ];
  test.for(found)('%s is refused with a sentence that says so', async ([, make, reason]) => {
    const start = minute();
    const good = three(start);
    expect(expectError(await main.bulk('ORDERS', make([...good])), 400)).toMatch(reason);
    await expectNothingStored(start, good);
  });

  test('gzip members with zero bytes between and behind them are all read', async () => {
    const start = minute();
    const lines = three(start);
    const body = Buffer.concat(lines.flatMap((one) => [gzipSync(`${one}\n`), Buffer.alloc(512)]));
    expectCounts(
      await main.bulk('ORDERS', body, { 'content-encoding': 'gzip' }),
      counts({ received: 3, inserted: 3 }),
    );
    expect(await stored(start)).toEqual(lines);
  });

  test('other bytes behind gzip, or behind its zero bytes, are 400', async () => {
    const start = minute();
    const good = three(start);
    const packed = gzipSync(good.join('\n'));
    for (const tail of ['xyz', '\0\0xyz', `\0${line(start)}`, '\x1f', '\0\x1f\x8b\x08']) {
      const body = Buffer.concat([packed, Buffer.from(tail, 'latin1')]);
      expectError(await main.bulk('ORDERS', body, { 'content-encoding': 'gzip' }), 400);
    }
    const twice = gzipSync(packed);
    expectError(await main.bulk('ORDERS', twice, { 'content-encoding': 'gzip' }), 400);
    await expectNothingStored(start, good);
  });

  test('nested 400 deep is stored, and comes back', async () => {
    const start = minute();
    const deep = line(start).replace('}', `,"x":${'[{"a":'.repeat(200)}1${'}]'.repeat(200)}}`);
    await main.load('ORDERS', [deep]);
    expect(await stored(start)).toEqual([deep]);
  });

  test('a body that inflates beyond what objects do is 413', async () => {
    const bomb = gzipSync(Buffer.alloc(128 * MiB, '\n'));
    expectError(await main.bulk('ORDERS', bomb, { 'content-encoding': 'gzip' }), 413);
  });
});

describe('a connection that drops half-way stores nothing, and the service stays healthy', () => {
  const head = (rest: string): Buffer =>
    Buffer.from(
      `POST ${main.bulkPath('ORDERS')} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${target.token}\r\n` +
        `Content-Type: application/x-ndjson\r\n${rest}\r\n\r\n`,
    );
  const chunk = (bytes: Uint8Array): Buffer =>
    Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]);

  const ways: [string, (body: Buffer) => Buffer][] = [
    ['with a length', (body) => Buffer.concat([head(`Content-Length: ${body.length * 2}`), body])],
    [
      'one byte before the length',
      (body) => Buffer.concat([head(`Content-Length: ${body.length + 1}`), body]),
    ],
    [
      'in chunks, without the last one',
      (body) => Buffer.concat([head('Transfer-Encoding: chunked'), chunk(body)]),
    ],
    [
      'in chunks of whole gzip, without the last one',
      (body) =>
        Buffer.concat([
          head('Transfer-Encoding: chunked\r\nContent-Encoding: gzip'),
          chunk(gzipSync(body)),
        ]),
    ],
  ];

  test.for(ways)('%s', async ([, request]) => {
    for (const how of ['FIN', 'RST'] as const) {
      const start = minute();
      const good = Array.from({ length: 300 }, (_, i) => line(start + i));
      // Every line is whole: only the end of the body is missing.
      await dropAfter(target.url, request(Buffer.from(`${good.join('\n')}\n`)), how);
      await sleep(200);
      expect((await nobody.ask('/health')).status).toBe(200);
      expect((await nobody.ask('/ready')).status).toBe(200);
      await expectNothingStored(start, good);
    }
  });
});

describe('permission ORDERS_W / PAYMENTS_W', () => {
  test.for(['ORDERS', 'PAYMENTS'] as const)(
    '%s: missing, revoked, foreign or no token is 401 before the body is looked at',
    async (type) => {
      const start = minute();
      const good = three(start);
      for (const body of [good.join('\n'), '{', '']) {
        for (const who of [readOrders, revoked, nobody])
          expectUnauthorized(await who.bulk(type, body));
        const foreign = await main.ask(other.bulkPath(type), { method: 'POST', body });
        expectUnauthorized(foreign);
      }
      await expectNothingStored(start, good, type);
    },
  );
});
