import { describe, expect, test } from 'vitest';
import {
  DAY,
  freshId,
  HOUR,
  line,
  main,
  nobody,
  other,
  choosePeriod,
  readOrders,
  revoked,
} from './api.ts';
import { counts, expectNothingStored, stored, three } from './bulk-load.ts';
import { expectError, expectUnauthorized } from './error-shapes.ts';

const START = choosePeriod(2014);

let spans = 0;

/** The start of a minute that no other test uses. */
const minute = (): number => START + 60_000 * spans++;

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
