import { describe, expect, test } from 'vitest';
import {
  line,
  main,
  nobody,
  other,
  otherApp,
  choosePeriod,
  readOrders,
  revoked,
  target,
} from './api.ts';
import { exact, overSocket } from './exact-requests.ts';
import {
  expectError,
  expectExportNotFound,
  expectJsonObject,
  expectUnauthorized,
} from './error-shapes.ts';

const START = choosePeriod(2012);

const END = START + 60_000;

const GOOD = { type: 'ORDERS', startTime: START, endTime: END };

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
