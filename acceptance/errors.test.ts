import { describe, expect, test } from 'vitest';
import {
  DAY,
  type Client,
  freshId,
  json,
  line,
  main,
  nobody,
  other,
  otherApp,
  periodOf,
  readOrders,
  revoked,
  target,
} from './api.ts';
import { exact, overSocket } from './exact.ts';
import {
  expectError,
  expectExportNotFound,
  expectJsonObject,
  expectUnauthorized,
} from './shapes.ts';

const START = periodOf(2003);
const END = START + 60_000;
const GOOD = { type: 'ORDERS', startTime: START, endTime: END };

describe('400: what was wrong, naming the member, what was sent and what is allowed', () => {
  test.for([
    ['missing', undefined, ''],
    ['lower case', 'orders', 'orders'],
    ['unknown', 'REFUNDS', 'REFUNDS'],
    ['with a space', 'ORDERS ', 'ORDERS '],
    ['empty', '', ''],
    ['a number', 7, '7'],
    ['null', null, 'null'],
    ['true', true, 'true'],
    ['an array', ['ORDERS'], 'ORDERS'],
    ['an object', { type: 'ORDERS' }, ''],
  ] as const)('type: %s', async ([, type, sent]) => {
    const details = expectError(await main.post({ ...GOOD, type }), 400);
    expect(details).toContain('type');
    expect(details).toContain('ORDERS');
    expect(details).toContain('PAYMENTS');
    expect(details).toContain(sent);
  });

  const badTimes = [
    ['missing', undefined, ''],
    ['null', 'null', 'null'],
    ['negative', '-1', '-1'],
    ['a float', '1000000000000.5', '1000000000000.5'],
    ['1e400', '1e400', ''],
    ['-1e400', '-1e400', ''],
    ['beyond 2^53', '9007199254740994', '9007199254740994'],
    ['far beyond 2^53', '100000000000000000000000', ''],
    ['the string "abc"', '"abc"', 'abc'],
    ['the string "NaN"', '"NaN"', 'NaN'],
    ['an empty string', '""', ''],
    ['a negative string', '"-1"', '-1'],
    ['a float as a string', '"1000000000000.5"', '1000000000000.5'],
    ['an exponent as a string', '"1e12"', '1e12'],
    ['a hexadecimal string', '"0x10"', '0x10'],
    ['digits after a space', '" 1000000000000"', '1000000000000'],
    ['full-width digits', '"\uff11\uff12"', ''],
    ['digits beyond 2^53', '"99999999999999999999"', '99999999999999999999'],
    ['an ISO date', '"2003-01-01T00:00:00Z"', '2003-01-01T00:00:00Z'],
    ['true', 'true', 'true'],
    ['an array', '[1000000000000]', '1000000000000'],
    ['an object', '{}', ''],
  ] as const;

  test.for(badTimes)('startTime: %s', async ([, value, sent]) => {
    const member = value === undefined ? '' : `"startTime":${value},`;
    const details = expectError(
      await main.postText(`{"type":"ORDERS",${member}"endTime":${END}}`),
      400,
    );
    expect(details).toContain('startTime');
    expect(details).toContain(sent);
  });

  test.for(badTimes)('endTime: %s', async ([, value, sent]) => {
    const member = value === undefined ? '' : `,"endTime":${value}`;
    const details = expectError(
      await main.postText(`{"type":"ORDERS","startTime":${START}${member}}`),
      400,
    );
    expect(details).toContain('endTime');
    expect(details).toContain(sent);
  });

  test.for([
    ['reversed', END, START],
    ['equal: an empty range', START, START],
    ['30 days and one millisecond', START, START + 30 * DAY + 1],
    ['a year', START, START + 365 * DAY],
  ] as const)('the range: %s', async ([, startTime, endTime]) => {
    const details = expectError(await main.post({ ...GOOD, startTime, endTime }), 400);
    expect(details).toMatch(/startTime|endTime/);
    const told =
      endTime > startTime
        ? /30 days|2592000000|2,592,000,000/
        : new RegExp(`${startTime}|${endTime}`);
    expect(details).toMatch(told);
    const asText = await main.post({
      ...GOOD,
      startTime: String(startTime),
      endTime: String(endTime),
    });
    expectError(asText, 400);
  });

  test('neither of the times', async () => {
    expect(expectError(await main.post({ type: 'ORDERS' }), 400)).toMatch(/startTime|endTime/);
  });

  test.for([
    ['[]', '[]'],
    ['an array of a good request', JSON.stringify([GOOD])],
    ['null', 'null'],
    ['a string', '"ORDERS"'],
    ['a number', '5'],
    ['true', 'true'],
    ['an empty object', '{}'],
  ] as const)('a body that is JSON, but %s', async ([, text]) => {
    expectError(await main.postText(text), 400);
  });

  test.for([
    ['only white space', ' \n '],
    ['text', 'hello'],
    ['half an object', '{"type":"ORDERS",'],
    ['a comma too many', `{"type":"ORDERS","startTime":${START},"endTime":${END},}`],
    ['single quotes', `{'type':'ORDERS','startTime':${START},'endTime':${END}}`],
    ['NaN as a number', `{"type":"ORDERS","startTime":NaN,"endTime":${END}}`],
    ['Infinity as a number', `{"type":"ORDERS","startTime":${START},"endTime":Infinity}`],
    ['a form', `type=ORDERS&startTime=${START}&endTime=${END}`],
    ['two objects', `${JSON.stringify(GOOD)}${JSON.stringify(GOOD)}`],
    ['a raw control character', `{"type":"ORDERS\u0000","startTime":${START},"endTime":${END}}`],
  ] as const)('a body that is not JSON: %s', async ([, text]) => {
    for (const type of ['application/json', 'text/plain; charset=utf-8']) {
      const answer = await main.ask(main.path, {
        method: 'POST',
        body: text,
        headers: { 'content-type': type },
      });
      expectError(answer, 400);
    }
  });

  test('an empty body, with and without a Content-Type', async () => {
    for (const headers of [main.auth, { ...main.auth, 'content-type': 'application/json' }]) {
      expectError(await exact(target.url, main.path, { method: 'POST', headers }), 400);
      expectError(await exact(target.url, main.path, { method: 'POST', headers, body: '' }), 400);
    }
  });
});

describe('hostile JSON has a clear answer too', () => {
  const deep = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);

  test('deep nesting as the body is 400', async () => {
    expectError(await main.postText(deep(15_000)), 400);
    expectError(await main.postText('{"a":'.repeat(5000) + '1' + '}'.repeat(5000)), 400);
  });

  test('deep nesting in an unknown member is ignored or refused', async () => {
    const answer = await main.postText(`{"x":${deep(20_000)},${JSON.stringify(GOOD).slice(1)}`);
    expect(answer.status, answer.text.slice(0, 200)).toBeOneOf([200, 400]);
    if (answer.status === 400) expectError(answer, 400);
  });

  test('duplicate members: one of the values, or 400', async () => {
    const answer = await main.postText(
      `{"type":"ORDERS","type":"PAYMENTS","startTime":${START},"endTime":${END},"endTime":${END + 1}}`,
    );
    if (answer.status === 400) expectError(answer, 400);
    else {
      expect(answer.status, answer.text).toBe(200);
      expect(json<{ type: string }>(answer).type).toBeOneOf(['ORDERS', 'PAYMENTS']);
    }
  });

  test('__proto__ gives the request no member that it does not have', async () => {
    const inherited = `{"__proto__":${JSON.stringify(GOOD)}}`;
    expectError(await main.postText(inherited), 400);
    expectError(
      await main.postText(`{"__proto__":{"type":"ORDERS"},"startTime":${START},"endTime":${END}}`),
      400,
    );
    expectError(await main.postText(`{"constructor":{"prototype":${JSON.stringify(GOOD)}}}`), 400);
  });

  test('__proto__ beside good members is ignored or refused, and harms nothing after it', async () => {
    const answer = await main.postText(
      `{"__proto__":{"status":"DONE"},${JSON.stringify(GOOD).slice(1)}`,
    );
    expect(answer.status, answer.text).toBeOneOf([200, 400]);
    if (answer.status === 200) expect(json<{ status: string }>(answer).status).toBe('PENDING');
    expectError(await main.post({}), 400);
    expect((await main.post(GOOD)).status).toBe(200);
  });
});

describe('401: {"message":"401 Unauthorized"} exactly, and nothing of which of them it was', () => {
  const unknown = `${target.token.slice(0, -1)}${target.token.endsWith('x') ? 'y' : 'x'}`;
  const cases: [string, Record<string, string>][] = [
    ['no token', {}],
    ['unknown token', { authorization: `Bearer ${unknown}` }],
    ['an empty token', { authorization: 'Bearer ' }],
    ['Bearer alone', { authorization: 'Bearer' }],
    ['an empty header', { authorization: '' }],
    ['the token without its scheme', { authorization: target.token }],
    ['another scheme', { authorization: `Basic ${target.token}` }],
    ['a truncated token', { authorization: `Bearer ${target.token.slice(0, -1)}` }],
    ['a token and something after it', { authorization: `Bearer ${target.token}0` }],
    ['a very long token', { authorization: `Bearer ${'A'.repeat(6000)}` }],
    ['a revoked token', revoked.auth],
    ["another merchant's token", other.auth],
  ];
  test.for(cases)('%s', async ([, headers]) => {
    const ask = (path: string, method = 'GET', body?: string) =>
      exact(target.url, path, { method, headers, ...(body === undefined ? {} : { body }) });
    expectUnauthorized(await ask(main.path, 'POST', JSON.stringify(GOOD)));
    expectUnauthorized(await ask(main.path));
    expectUnauthorized(await ask(`${main.path}/0000000000000`));
    expectUnauthorized(await ask(main.bulkPath('ORDERS'), 'POST', `${line(START)}\n`));
    expectUnauthorized(await ask(main.bulkPath('PAYMENTS'), 'POST', `${line(START)}\n`));
  });

  test('every 401 looks the same, whatever the reason', async () => {
    const answers = await Promise.all(
      cases.map(([, headers]) =>
        exact(target.url, main.path, { method: 'POST', headers, body: JSON.stringify(GOOD) }),
      ),
    );
    const names = answers.map((answer) => [...answer.headers.keys()].sort().join());
    expect(new Set(names).size).toBe(1);
  });

  test('a bad access_token', async () => {
    for (const query of [
      '?access_token=',
      '?access_token',
      '?access_token=nope',
      '?access_token[]=x',
      '?access_token=%00',
    ]) {
      expectUnauthorized(
        await nobody.ask(main.path + query, { method: 'POST', body: JSON.stringify(GOOD) }),
      );
    }
  });

  test('without the permission for this type', async () => {
    expect((await readOrders.post(GOOD)).status).toBe(200);
    expectUnauthorized(await readOrders.post({ ...GOOD, type: 'PAYMENTS' }));
    expectUnauthorized(await readOrders.bulk('ORDERS', `${line(START)}\n`));
    expectUnauthorized(await readOrders.bulk('PAYMENTS', `${line(START)}\n`));
  });
});

describe("404: an unknown export, or another merchant's or app's, verbatim", () => {
  test('unknown', async () => {
    expectExportNotFound(await main.read('0123456789ABC'));
  });

  test("another app's export on the same merchant, in both directions", async () => {
    const mine = await main.create('ORDERS', START, END);
    const theirs = await otherApp.create('ORDERS', START, END);
    expectExportNotFound(await otherApp.read(mine.id));
    expectExportNotFound(await main.read(theirs.id));
    expect((await main.read(mine.id)).status).toBe(200);
    expect((await otherApp.read(theirs.id)).status).toBe(200);
  });

  test("another merchant's export under the own merchant's path", async () => {
    const theirs = await other.create('ORDERS', START, END);
    expectExportNotFound(await main.read(theirs.id));
  });
});

describe('404: a merchant id is [A-Za-z0-9_-]{1,64}; anything else in the path is 404', () => {
  test.for([
    ['65 characters', 'a'.repeat(65)],
    ['1,000 characters', 'M'.repeat(1000)],
    ['%00', 'AB%00C'],
    ['%00 alone', '%00'],
    ['../', `..%2f${target.merchant}`],
    ['../ unescaped', `x/../${target.merchant}`],
    ['..', '..'],
    ['an emoji, escaped', '%F0%9F%98%80'],
    ['a dot', 'a.b'],
    ['a space', 'a%20b'],
    ['a quote', "a'b"],
    ['a star', '*'],
    ['a colon', ':mId'],
    ['a semicolon', 'a;b'],
    ['an umlaut, escaped', 'caf%C3%A9'],
    ['a broken escape', 'a%zzb'],
    ['a lone %', '%'],
    ['invalid UTF-8, escaped', '%ff%fe'],
    ['empty', ''],
    ['the right id and a line feed', `${target.merchant}%0A`],
  ] as const)('%s', async ([, merchant]) => {
    for (const [method, path] of [
      ['POST', 'exports'],
      ['GET', 'exports'],
      ['GET', 'exports/0000000000000'],
      ['POST', 'orders/bulk'],
    ] as const) {
      const answer = await exact(target.url, `/v3/merchants/${merchant}/${path}`, {
        method,
        headers: main.auth,
        ...(method === 'POST' ? { body: JSON.stringify(GOOD) } : {}),
      });
      expectError(answer, 404);
    }
  });

  test('an emoji as raw bytes', async () => {
    const answer = await overSocket(
      target.url,
      `GET /v3/merchants/\u{1f600}/exports HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
    );
    // The HTTP parser may refuse the request line before there is a path to look at.
    expect(answer.status).toBeOneOf([400, 404]);
    expectJsonObject(answer);
  });

  test('64 characters are a merchant id: this token is not for it, so 401', async () => {
    for (const merchant of ['a'.repeat(64), 'A-b_9', '-', '_', '0', '__proto__', 'constructor']) {
      expectUnauthorized(
        await main.ask(`/v3/merchants/${merchant}/exports`, { method: 'POST', body: '{}' }),
      );
    }
  });

  test.for([
    '%00',
    'A%2FB',
    '..',
    '%2e%2e',
    '..%2f..',
    '%F0%9F%98%80',
    'x'.repeat(1000),
    'x'.repeat(10_000),
    '%zz',
    'a;b',
  ])('an export id that cannot be one is 404: %s', async (id) => {
    const answer = await exact(target.url, `${main.path}/${id}`, { headers: main.auth });
    expect(answer.status, answer.text).toBe(404);
    expectJsonObject(answer);
  });
});

describe('order of the checks: route 404 / 405, 413, 401, 429, 400, 503', () => {
  const huge = Buffer.alloc(10 * 1024 * 1024, 'x');

  test('a bad merchant id is 404 before any other check', async () => {
    for (const [headers, body] of [
      [{}, '{'],
      [revoked.auth, JSON.stringify(GOOD)],
      [{}, huge],
    ] as const) {
      const answer = await exact(target.url, '/v3/merchants/a.b/exports', {
        method: 'POST',
        headers,
        body,
      });
      expectError(answer, 404);
    }
  });

  test('405 comes before the token and the body', async () => {
    const answer = await exact(target.url, main.path, { method: 'PUT', headers: {}, body: '{' });
    expectError(answer, 405);
  });

  test('a body of 10 MB is 413', async () => {
    expectError(
      await exact(target.url, main.path, { method: 'POST', headers: main.auth, body: huge }),
      413,
    );
    const json10 = Buffer.from(`{"x":"${'x'.repeat(10_000_000)}",${JSON.stringify(GOOD).slice(1)}`);
    const headers = { ...main.auth, 'content-type': 'application/json' };
    expectError(await exact(target.url, main.path, { method: 'POST', headers, body: json10 }), 413);
  });

  test('a body of 10 MB in chunks, without a length, is 413', async () => {
    const body = Array.from({ length: 160 }, () => Buffer.alloc(64 * 1024, 'x'));
    expectError(
      await exact(target.url, main.path, { method: 'POST', headers: main.auth, body }),
      413,
    );
  });

  test('after a 413 the connection is closed or good for the next request', async () => {
    for (let i = 0; i < 4; i++) {
      expectError(
        await exact(target.url, main.path, { method: 'POST', headers: main.auth, body: huge }),
        413,
      );
      const next = { method: 'POST', headers: main.auth, body: JSON.stringify(GOOD) };
      expect((await exact(target.url, main.path, next)).status).toBe(200);
    }
  });

  test('too large a body is 413 before a bad token is 401', async () => {
    for (const headers of [{}, revoked.auth, { authorization: 'Bearer nope' }]) {
      expectError(await exact(target.url, main.path, { method: 'POST', headers, body: huge }), 413);
    }
  });

  test('a bad token is 401 before a bad body is 400', async () => {
    for (const body of [
      '',
      '{',
      '[]',
      '{"type":"nope"}',
      JSON.stringify({ ...GOOD, endTime: START }),
    ]) {
      for (const who of [nobody, revoked, other] as Client[]) {
        expectUnauthorized(
          await exact(target.url, main.path, { method: 'POST', headers: who.auth, body }),
        );
      }
    }
  });

  test('a missing permission for the type is 401 before bad times are 400', async () => {
    expectUnauthorized(await readOrders.post({ type: 'PAYMENTS', startTime: 'abc' }));
    expectError(await readOrders.post({ type: 'ORDERS', startTime: 'abc' }), 400);
    expectError(await readOrders.post({ type: 'orders', startTime: START, endTime: END }), 400);
  });

  test('a bad token is 401 before an unknown export is 404', async () => {
    const path = `${main.path}/${freshId('').slice(0, 13)}`;
    expectUnauthorized(await nobody.ask(path));
    expectUnauthorized(await revoked.ask(path));
  });
});
