import { describe, expect, test } from 'vitest';
import { DAY, json, main, choosePeriod, target } from './api.ts';
import { exact } from './exact-requests.ts';
import { expectError } from './error-shapes.ts';

const START = choosePeriod(2003);

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
