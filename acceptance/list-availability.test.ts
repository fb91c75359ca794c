import { beforeAll, describe, expect, test } from 'vitest';
import {
  DAY,
  type ExportObject,
  json,
  nobody,
  other,
  otherApp,
  choosePeriod,
  revoked,
  target,
} from './api.ts';
import { expectError, expectUnauthorized } from './error-shapes.ts';

const START = choosePeriod(2006);

interface List {
  elements: ExportObject[];
  href: string;
}

const MEMBERS = [
  'id',
  'type',
  'status',
  'percentComplete',
  'availableUntil',
  'startTime',
  'endTime',
  'createdTime',
  'modifiedTime',
  'exportUrls',
  'merchantRef',
  'failure',
  'files',
  'snapshotTime',
  'format',
  'cursor',
];

// The other merchant's install: no other file creates many exports there.
async function list(query = ''): Promise<List> {
  const answer = await other.ask(other.path + query);
  expect(answer.status, answer.text).toBe(200);
  expect(answer.headers.get('content-type')).toMatch(/^application\/json\b/);
  return json<List>(answer);
}

const ids = (page: List): string[] => page.elements.map((element) => element.id);

describe("GET /v3/merchants/{mId}/exports: the install's exports, newest first", () => {
  const mine: string[] = [];
  beforeAll(async () => {
    for (let i = 0; i < 105; i++) {
      const created = await other.create(
        i % 2 === 0 ? 'ORDERS' : 'PAYMENTS',
        START + i,
        START + DAY,
      );
      mine.push(created.id);
    }
  });

  /** Another file may create an export between two reads: only reads of the same state are compared. */
  async function whileUnchanged(check: () => Promise<void>): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      const before = ids(await list('?limit=1'));
      const checked = check();
      await Promise.allSettled([checked]);
      const after = ids(await list('?limit=1'));
      if (before[0] !== after[0] && attempt < 20) continue;
      await checked;
      return;
    }
  }

  test('newest first, each in the shape and member order of the export object', async () => {
    const page = await list('?limit=1000');
    expect(Object.keys(page)).toEqual(['elements', 'href']);
    expect(ids(page)).toEqual(expect.arrayContaining(mine));
    expect(new Set(ids(page)).size).toBe(page.elements.length);
    const created = page.elements.map((element) => element.createdTime);
    expect(created).toEqual([...created].sort((a, b) => b - a));
    for (const element of page.elements) {
      const members = Object.keys(element);
      expect(members).toEqual(MEMBERS.filter((member) => members.includes(member)));
      expect(members).toEqual(
        expect.arrayContaining(['id', 'type', 'status', 'percentComplete', 'merchantRef']),
      );
      expect(element.merchantRef).toEqual({ id: target.otherMerchant });
    }
  });

  test('limit is 100 by default', async () => {
    expect((await list()).elements).toHaveLength(100);
  });

  test('limit and offset cut pages that put together are the whole', async () => {
    await whileUnchanged(async () => {
      const whole = ids(await list('?limit=30'));
      const pages = await Promise.all(
        ['?limit=10', '?limit=10&offset=10', '?offset=20&limit=10'].map((query) => list(query)),
      );
      expect(pages.map((page) => page.elements.length)).toEqual([10, 10, 10]);
      expect(pages.flatMap(ids)).toEqual(whole);
      expect(ids(await list('?limit=1&offset=0'))).toEqual(whole.slice(0, 1));
      expect(ids(await list('?offset=5')).slice(0, 25)).toEqual(whole.slice(5));
    });
  });

  test('an offset behind the end is an empty page', async () => {
    expect((await list('?offset=1000000')).elements).toEqual([]);
  });

  test('limit may be 1000 at most', async () => {
    expect((await list('?limit=1000')).elements.length).toBeGreaterThanOrEqual(105);
    expect(expectError(await other.ask(`${other.path}?limit=1001`), 400)).toContain('limit');
  });

  test.for([
    'limit=0',
    'limit=abc',
    'limit=-1',
    'limit=1.5',
    'limit=99999999999999999999',
    'limit=%00',
    'offset=-1',
    'offset=abc',
    'offset=1.5',
  ])('?%s is 400, naming the member', async (query) => {
    const details = expectError(await other.ask(`${other.path}?${query}`), 400);
    expect(details).toContain(query.split('=')[0]);
  });

  test.for([
    'limit=',
    'limit=1e2',
    'limit=1&limit=2',
    'limit[]=1',
    'offset=',
    'offset=99999999999999999999',
    'offset=%F0%9F%98%80',
  ])('?%s is a page or 400', async (query) => {
    const answer = await other.ask(`${other.path}?${query}`);
    if (answer.status !== 200) expectError(answer, 400);
  });

  test('unknown parameters are ignored', async () => {
    expect((await list('?limit=1&filter=x&sort=y')).elements).toHaveLength(1);
  });

  test('href names the list, and holds no token', async () => {
    const page = await list('?limit=2&offset=1');
    expect(page.href).toContain(other.path);
    const byQuery = await nobody.ask(`${other.path}?limit=1&access_token=${target.otherToken}`);
    expect(byQuery.status).toBe(200);
    expect(byQuery.text).not.toContain(target.otherToken);
  });

  test("another app's exports are not in it", async () => {
    const theirs = await otherApp.create('ORDERS', START, START + 1);
    const answer = await otherApp.ask(`${otherApp.path}?limit=1000`);
    expect(ids(json<List>(answer))).toContain(theirs.id);
    for (const id of mine) expect(answer.text).not.toContain(id);
    expect(ids(await list('?limit=1000'))).not.toContain(theirs.id);
  });

  test('needs a token, and 401 comes before 400', async () => {
    expectUnauthorized(await nobody.ask(other.path));
    expectUnauthorized(await revoked.ask(other.path));
    expectUnauthorized(await otherApp.ask(`${other.path}?limit=abc`));
  });
});

describe('GET /v3/availability', () => {
  test('{"open","region","hours","nextOpen","nextClose"} without a token', async () => {
    const answer = await nobody.ask('/v3/availability');
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toMatch(/^application\/json\b/);
    const availability = json<Record<string, unknown>>(answer);
    expect(Object.keys(availability)).toEqual(['open', 'region', 'hours', 'nextOpen', 'nextClose']);
    expect(availability['open']).toBe(true);
    expect(availability['region']).toBeTypeOf('string');
    expect(availability['hours']).toMatch(/\S/);
    for (const name of ['nextOpen', 'nextClose']) {
      const value = availability[name];
      if (value !== null) expect(value).toBeGreaterThan(Date.now() - 60_000);
    }
    if (availability['region'] === 'sandbox')
      expect(availability['nextClose'], 'always open').toBeNull();
  });
});
