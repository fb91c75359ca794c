import { describe, expect, test } from 'vitest';
import { DAY, type ExportObject, main, json, choosePeriod, revoked, target } from './api.ts';
import { type Sent, exact } from './exact-requests.ts';
import { expectUnauthorized } from './error-shapes.ts';

const START = choosePeriod(2001);
const END = START + 60_000;
const BODY = JSON.stringify({ type: 'ORDERS', startTime: START, endTime: END });

/** POSTs with no header of our own making. */
function post(path: string, headers: Sent['headers'], body: Sent['body'] = BODY) {
  return exact(target.url, path, { method: 'POST', headers: headers ?? {}, body });
}

describe('POST /v3/merchants/{mId}/exports', () => {
  test.for(['', '/'])('answers 200 with and without a trailing slash: exports%s', async (slash) => {
    const answer = await post(main.path + slash, {
      ...main.auth,
      'content-type': 'application/json',
    });
    expect(answer.status, answer.text).toBe(200);
    expect(answer.headers.get('content-type')).toMatch(/^application\/json\b/);
    expect(json<ExportObject>(answer)).toMatchObject({
      type: 'ORDERS',
      startTime: START,
      endTime: END,
    });
  });

  test('takes PAYMENTS as well as ORDERS', async () => {
    const created = await main.create('PAYMENTS', START, END);
    expect(created).toMatchObject({ type: 'PAYMENTS', startTime: START, endTime: END });
  });

  test.for([
    [START, END],
    [String(START), String(END)],
    [START, String(END)],
    [String(START), END],
  ])(
    'times are numbers or strings of digits, and come back as numbers: %j',
    async ([startTime, endTime]) => {
      const answer = await main.post({ type: 'ORDERS', startTime, endTime });
      expect(answer.status, answer.text).toBe(200);
      expect(json<ExportObject>(answer)).toMatchObject({ startTime: START, endTime: END });
    },
  );

  test.for([
    'text/plain; charset=utf-8',
    'text/plain',
    'application/json; charset=utf-8',
    'application/x-www-form-urlencoded',
    'application/octet-stream',
    'application/xml',
    'application/x-ndjson',
    'multipart/form-data; boundary=x',
    'multipart/form-data',
    'application/vnd.acme+json;v=3',
    'nonsense',
    '',
  ])('the JSON is parsed whatever the Content-Type: "%s"', async (type) => {
    const answer = await post(main.path, { ...main.auth, 'content-type': type });
    expect(answer.status, answer.text).toBe(200);
  });

  test('the JSON is parsed without any Content-Type', async () => {
    const answer = await post(main.path, main.auth);
    expect(answer.status, answer.text).toBe(200);
    const slashed = await post(`${main.path}/`, main.auth);
    expect(slashed.status, slashed.text).toBe(200);
  });

  test.for([
    'text/html',
    'application/xml',
    'image/png;q=0.1',
    'text/plain',
    '*/*;q=0',
    'nonsense',
    '',
  ])('never 406: Accept "%s"', async (accept) => {
    const answer = await post(main.path, {
      ...main.auth,
      'content-type': 'application/json',
      accept,
    });
    expect(answer.status, answer.text).toBe(200);
    expect(answer.headers.get('content-type')).toMatch(/^application\/json\b/);
  });

  test('a body that comes in chunks of one byte is one body', async () => {
    const bytes = [...Buffer.from(BODY)].map((byte) => Uint8Array.of(byte));
    const answer = await post(main.path, main.auth, bytes);
    expect(answer.status, answer.text).toBe(200);
  });

  test('unknown members are ignored', async () => {
    const answer = await main.post({
      layout: 'csv',
      type: 'ORDERS',
      nested: { type: 'PAYMENTS', startTime: [null] },
      startTime: START,
      endTime: END,
      id: 'MINE',
      status: 'DONE',
      percentComplete: 100,
      merchantRef: { id: 'OTHER' },
    });
    expect(answer.status, answer.text).toBe(200);
    const created = json<ExportObject>(answer);
    expect(created).toMatchObject({
      type: 'ORDERS',
      status: 'PENDING',
      merchantRef: { id: target.merchant },
    });
    expect(created.id).not.toBe('MINE');
  });

  test('white space and the order of the members in the request do not matter', async () => {
    const answer = await main.postText(
      `\r\n\t{ "endTime" : "${END}" ,\n "startTime":${START}, "type"\t:"PAYMENTS" }\n\n`,
    );
    expect(answer.status, answer.text).toBe(200);
    expect(json<ExportObject>(answer)).toMatchObject({
      type: 'PAYMENTS',
      startTime: START,
      endTime: END,
    });
  });
});

describe('authorization of create', () => {
  const query = `?access_token=${target.token}`;
  const revokedQuery = `?access_token=${target.revokedToken}`;

  test('?access_token=TOKEN is as good as the header, also after a trailing slash', async () => {
    for (const path of [main.path + query, `${main.path}/${query}`]) {
      const answer = await post(path, {});
      expect(answer.status, answer.text).toBe(200);
    }
  });

  test('when both are present the header decides: good header, bad access_token', async () => {
    const answer = await post(main.path + revokedQuery, main.auth);
    expect(answer.status, answer.text).toBe(200);
  });

  test('when both are present the header decides: bad header, good access_token', async () => {
    expectUnauthorized(await post(main.path + query, revoked.auth));
    expectUnauthorized(await post(main.path + query, { authorization: 'Bearer unknown' }));
    expectUnauthorized(await post(main.path + query, { authorization: 'Basic dTpw' }));
  });

  test('a token given twice has a clear answer, and two bad ones are 401', async () => {
    const good = `Bearer ${target.token}`;
    const bad = `Bearer ${target.revokedToken}`;
    for (const pair of [
      [good, good],
      [good, bad],
      [bad, good],
    ]) {
      const answer = await post(main.path, { authorization: pair });
      expect(answer.status, answer.text).toBeOneOf([200, 401]);
      if (answer.status === 401) expectUnauthorized(answer);
    }
    expectUnauthorized(await post(main.path, { authorization: [bad, bad] }));

    const twice = await post(`${main.path + query}&access_token=${target.token}`, {});
    expect(twice.status, twice.text).toBeOneOf([200, 401]);
    expectUnauthorized(await post(`${main.path + revokedQuery}&access_token=x`, {}));
  });
});

describe('the created export object', () => {
  test('status is always PENDING in the create answer, even when a worker is idle', async () => {
    for (let i = 0; i < 25; i++) {
      const created = await main.create(i % 2 === 0 ? 'ORDERS' : 'PAYMENTS', START + i, END);
      expect(created.status).toBe('PENDING');
    }
  });

  test('members stand in this order, compact, as raw text: an old client reads by position', async () => {
    const { text } = await main.post({ endTime: END, startTime: START, type: 'ORDERS' });
    expect(text).toMatch(
      new RegExp(
        '^\\{"id":"[0-9A-HJKMNP-TV-Z]{13}","type":"ORDERS","status":"PENDING","percentComplete":\\d{1,2},' +
          `"startTime":${START},"endTime":${END},"createdTime":\\d{13},"modifiedTime":\\d{13},` +
          `"merchantRef":\\{"id":"${target.merchant}"\\}\\}$`,
      ),
    );
    expect(JSON.stringify(JSON.parse(text))).toBe(text);
  });

  test('id is 13 characters of Crockford base32 (0-9 A-Z without I, L, O, U), never the same twice', async () => {
    const created = await Promise.all(
      Array.from({ length: 40 }, (_, i) => main.create('ORDERS', START + i, END)),
    );
    const ids = created.map((one) => one.id);
    for (const id of ids) expect(id).toMatch(/^[0-9A-HJKMNP-TV-Z]{13}$/);
    expect(new Set(ids).size).toBe(ids.length);
    // 520 random characters of 32 leave hardly one position or character unused.
    expect(new Set(ids.map((id) => id[0])).size).toBeGreaterThan(8);
    expect(new Set(ids.join('')).size).toBeGreaterThan(26);
  });

  test('createdTime and modifiedTime are epoch milliseconds of now', async () => {
    const answer = await main.post({ type: 'ORDERS', startTime: START, endTime: END });
    const { createdTime, modifiedTime } = json<ExportObject>(answer);
    // The Date header has whole seconds; a minute allows for a clock of the database's own.
    const now = Date.parse(answer.headers.get('date') ?? '');
    expect(Math.abs(createdTime - now)).toBeLessThan(60_000);
    expect(modifiedTime).toBeGreaterThanOrEqual(createdTime);
  });
});

describe('the span of a range', () => {
  test.for([
    ['one millisecond', 1],
    ['29 days 23 hours 59 minutes', 30 * DAY - 60_000],
    ['30 days exactly', 30 * DAY],
  ] as const)('%s passes', async ([, span]) => {
    const answer = await main.post({ type: 'ORDERS', startTime: START, endTime: START + span });
    expect(answer.status, answer.text).toBe(200);
  });

  test('30 days exactly pass as strings of digits, too', async () => {
    const answer = await main.post({
      type: 'PAYMENTS',
      startTime: String(START),
      endTime: String(START + 30 * DAY),
    });
    expect(answer.status, answer.text).toBe(200);
  });

  test('a range of the future and one before 2000 are ranges', async () => {
    for (const startTime of [Date.UTC(2090, 0, 1), Date.UTC(1980, 0, 1)]) {
      const done = await main.export('ORDERS', startTime, startTime + 1000);
      expect(done.urls).toEqual([]);
    }
  });
});
