import { beforeAll, describe, expect, test } from 'vitest';
import {
  DAY,
  type ExportObject,
  type Finished,
  download,
  json,
  line,
  main,
  nobody,
  choosePeriod,
  readOrders,
  target,
} from './api.ts';
import { exact } from './exact-requests.ts';
import { expectExportNotFound, expectUnauthorized } from './error-shapes.ts';

const START = choosePeriod(2002);
const END = START + 10_000;
const EMPTY = START + DAY;

describe('GET /v3/merchants/{mId}/exports/{exportId}', () => {
  let done: Finished;
  beforeAll(async () => {
    await main.load(
      'ORDERS',
      Array.from({ length: 1500 }, (_, i) => line(START + i)),
    );
    done = await main.export('ORDERS', START, END);
  });

  test('goes from PENDING to DONE; percentComplete is an integer, never goes down, 100 only when DONE', () => {
    // `poll` has held each answer against the rule; here is what they share.
    for (const seen of done.seen) {
      expect(seen).toMatchObject({
        id: done.export.id,
        type: 'ORDERS',
        startTime: START,
        endTime: END,
        createdTime: done.export.createdTime,
        merchantRef: { id: target.merchant },
      });
      if (seen.status === 'DONE') continue;
      expect(Object.keys(seen)).not.toContain('availableUntil');
      expect(Object.keys(seen)).not.toContain('exportUrls');
      expect(Object.keys(seen)).not.toContain('files');
      expect(Object.keys(seen)).not.toContain('failure');
    }
    const modified = done.seen.map((seen) => seen.modifiedTime);
    expect(modified).toEqual([...modified].sort((a, b) => a - b));
  });

  test('a DONE body has its members in this order, compact, as raw text', () => {
    expect(done.text).toMatch(
      new RegExp(
        `^\\{"id":"${done.export.id}","type":"ORDERS","status":"DONE","percentComplete":100,` +
          `"availableUntil":\\d{13},"startTime":${START},"endTime":${END},` +
          '"createdTime":\\d{13},"modifiedTime":\\d{13},' +
          '"exportUrls":\\{"elements":\\[\\{"url":"[^"]+","export":\\{"id":"[^"]+"\\}\\},\\{"url":"[^"]+","export":\\{"id":"[^"]+"\\}\\}\\]\\},' +
          `"merchantRef":\\{"id":"${target.merchant}"\\},` +
          '"files":\\{"elements":\\[.+\\]\\},"totals":\\{"elements":\\[.+\\]\\},"snapshotTime":\\d{13}\\}$',
      ),
    );
    expect(JSON.stringify(JSON.parse(done.text))).toBe(done.text);
  });

  test('the first [ in a DONE body opens the list of URLs, and the first ] closes it', () => {
    const list = done.text.slice(done.text.indexOf('['), done.text.indexOf(']') + 1);
    expect(JSON.parse(list)).toEqual(done.export.exportUrls?.elements);
  });

  test('exportUrls: {"elements":[{"url":URL,"export":{"id":"..."}}]} and nothing else inside', () => {
    expect(Object.keys(done.export.exportUrls ?? {})).toEqual(['elements']);
    expect(done.export.exportUrls?.elements).toHaveLength(2);
    for (const element of done.export.exportUrls?.elements ?? []) {
      expect(Object.keys(element)).toEqual(['url', 'export']);
      expect(element.export).toEqual({ id: done.export.id });
      expect(element.url).toMatch(/^https?:\/\/\S+$/);
    }
    expect(new Set(done.urls).size).toBe(2);
  });

  test('availableUntil is the moment of completion plus 24 h', () => {
    const { availableUntil = 0, createdTime, modifiedTime } = done.export;
    expect(availableUntil - DAY).toBeGreaterThanOrEqual(createdTime);
    expect(availableUntil - DAY).toBeLessThanOrEqual(modifiedTime + 1000);
  });

  test('files (section 2): {"elements":[{"objects","bytes","sha256"}]}, in the order of the URLs', () => {
    expect(Object.keys(done.export.files ?? {})).toEqual(['elements']);
    expect(done.export.files?.elements.map((file) => file.objects)).toEqual([1000, 500]);
    for (const file of done.export.files?.elements ?? []) {
      expect(Object.keys(file)).toEqual(['objects', 'bytes', 'sha256']);
      expect(file.sha256).toMatch(/^[0-9a-f]{64}$/);
    }
  });

  test('the URL is minted anew at each read, and an earlier one goes on working', async () => {
    for (let i = 0; i < 3; i++) {
      const again = json<ExportObject>(await main.read(done.export.id));
      expect(again.availableUntil).toBe(done.export.availableUntil);
      expect(again.modifiedTime).toBe(done.export.modifiedTime);
      expect(again.files).toEqual(done.export.files);
      for (const element of again.exportUrls?.elements ?? []) {
        expect((await download(element.url)).status).toBe(200);
      }
    }
    for (const url of done.urls) expect((await download(url)).status).toBe(200);
  });

  test('zero objects in the range: DONE with "elements":[]', async () => {
    for (const type of ['ORDERS', 'PAYMENTS'] as const) {
      const empty = await main.export(type, EMPTY, EMPTY + 1);
      expect(empty.text).toContain('"exportUrls":{"elements":[]}');
      expect(empty.export.files).toEqual({ elements: [] });
      expect(empty.export.availableUntil).toBeTypeOf('number');
    }
  });

  test('one client that polls without any back-off is never throttled', async () => {
    const { id } = await main.create('ORDERS', START, END);
    for (let i = 0; i < 40; i++) {
      const answer = await main.read(id);
      expect(answer.status, answer.text).toBe(200);
      expect(answer.headers.get('retry-after')).toBeNull();
    }
    await main.poll(id);
  });

  test('the token may come as access_token, and the header decides when both are present', async () => {
    const path = `${main.path}/${done.export.id}`;
    expect((await nobody.ask(`${path}?access_token=${target.token}`)).status).toBe(200);
    expect((await main.ask(`${path}?access_token=${target.revokedToken}`)).status).toBe(200);
    expectUnauthorized(
      await nobody.ask(`${path}?access_token=${target.token}`, {
        headers: { authorization: 'Bearer no' },
      }),
    );
  });

  test('never 406: an odd Accept still reads JSON', async () => {
    for (const accept of ['text/html', 'image/png', '*/*;q=0', 'nonsense']) {
      const answer = await exact(target.url, `${main.path}/${done.export.id}`, {
        headers: { ...main.auth, accept },
      });
      expect(answer.status, answer.text).toBe(200);
      expect(answer.headers.get('content-type')).toMatch(/^application\/json\b/);
    }
  });

  test('an install of the same merchant and app sees the export; its type needs its permission', async () => {
    expect((await readOrders.read(done.export.id)).status).toBe(200);
    const payments = await main.create('PAYMENTS', EMPTY, EMPTY + 1);
    expectUnauthorized(await readOrders.read(payments.id));
  });

  test('an unknown or malformed export id is the verbatim 404', async () => {
    const { id } = done.export;
    const ids = [
      '0000000000000',
      'ZZZZZZZZZZZZZ',
      id.slice(1),
      `${id}0`,
      `ILOU${id.slice(4)}`,
      'x',
      '-',
      '_',
      '1',
      'null',
      'undefined',
      'NaN',
      `${id.slice(0, 12)}-`,
      "1'--",
      'x%20y',
      '%7B%7D',
    ];
    for (const one of ids) expectExportNotFound(await main.read(one));
  });

  test('the id is compared as it stands: lower case is another id', async () => {
    const lower = done.export.id.toLowerCase();
    if (lower !== done.export.id) expectExportNotFound(await main.read(lower));
  });
});
