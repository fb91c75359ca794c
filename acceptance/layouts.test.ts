/** JSON lines, larger files, totals and the snapshot's time (wire contract, "In the export object", "More of create"). */
import { createHash } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  choosePeriod,
  DAY,
  download,
  freshId,
  json,
  line,
  main,
  parseElements,
  type ExportObject,
} from './api.ts';
import { expectError } from './error-shapes.ts';

const START = choosePeriod(1996);
const RANGE = { type: 'ORDERS', startTime: START, endTime: START + DAY } as const;

const lines = Array.from({ length: 3200 }, (_, i) =>
  line(START + i, { note: i % 7 === 0 ? 'a\\nb "x" é 😀' : 'n', currency: 'USD', total: i }),
);

beforeAll(async () => {
  await main.load('ORDERS', lines);
});

async function exportAs(more: object): Promise<{ done: ExportObject; text: string }> {
  const created = await main.post({ ...RANGE, ...more });
  expect(created.status, created.text).toBe(200);
  const { export: done, text } = await main.poll(json<ExportObject>(created).id);
  return { done, text };
}

function counts({ files }: ExportObject): number[] {
  return (files?.elements ?? []).map(({ objects }) => objects);
}

describe('format and objectsPerFile', () => {
  test('jsonl: each object on a line, as it was loaded', async () => {
    const { done, text } = await exportAs({ format: 'jsonl', objectsPerFile: 2000 });
    expect(counts(done)).toEqual([2000, 1200]);
    expect(text).toMatch(/,"snapshotTime":\d{13},"format":"jsonl"\}$/);
    let read = '';
    for (const [i, { url }] of (done.exportUrls?.elements ?? []).entries()) {
      const plain = await download(url);
      expect(plain.headers.get('content-type')).toBe('application/x-ndjson');
      const packed = await download(url, { 'accept-encoding': 'gzip' });
      expect(packed.headers.get('content-type')).toBe('application/x-ndjson');
      expect(gunzipSync(packed.bytes).equals(plain.bytes)).toBe(true);
      expect(done.files?.elements[i]).toMatchObject({
        bytes: plain.bytes.length,
        sha256: createHash('sha256').update(plain.bytes).digest('hex'),
      });
      read += plain.text;
    }
    expect(read).toBe(lines.map((each) => `${each}\n`).join(''));
  });

  test('a million a file: one file', async () => {
    const { done } = await exportAs({ objectsPerFile: 1_000_000 });
    expect(counts(done)).toEqual([3200]);
    const file = await download(done.exportUrls?.elements[0]?.url ?? '');
    expect(parseElements(file.bytes)).toEqual(lines);
    expect(done).not.toHaveProperty('format');
  });

  test('without objects: no file', async () => {
    const { done } = await exportAs({
      format: 'jsonl',
      startTime: START + DAY,
      endTime: START + 2 * DAY,
    });
    expect(counts(done)).toEqual([]);
  });

  test.each([
    [{ format: 'csv' }, 'format must be "json" or "jsonl"; got "csv"'],
    [{ format: null }, 'format must be'],
    [
      { objectsPerFile: 999 },
      'objectsPerFile must be a whole number from 1000 to 1000000; got 999',
    ],
    [{ objectsPerFile: '2000' }, 'objectsPerFile must be'],
  ])('%j is 400', async (more, message) => {
    const answer = await main.post({ ...RANGE, ...more });
    expectError(answer, 400);
    expect(json<{ details: string }>(answer).details).toContain(message);
  });
});

describe('totals', () => {
  const PERIOD = START + 20 * DAY;
  const big = '9007199254740991';

  test('orders: by currency, exact beyond 2^53, and what was not summed', async () => {
    const order = (members: string): string =>
      `{"id":"${freshId()}","createdTime":${PERIOD},${members}}`;
    await main.load('ORDERS', [
      order(`"currency":"USD","total":${big}`),
      order(`"currency":"USD","total":3`),
      order(`"currency":"USD","total":-1`),
      order(`"currency":"USD"`),
      order(`"currency":"usd","total":1`),
      order(`"total":7`),
    ]);
    const range = { startTime: PERIOD, endTime: PERIOD + 1 };
    const { text } = await exportAs(range);
    expect(text).toContain(
      '"totals":{"elements":[' +
        '{"currency":"USD","objects":4,"total":9007199254740993,"unsummed":1},' +
        '{"currency":"usd","objects":1,"total":1,"unsummed":0},' +
        '{"currency":null,"objects":1,"total":7,"unsummed":0}]},"snapshotTime":',
    );
  });

  test('payments: by currency and result', async () => {
    const payment = (members: Record<string, unknown>): string => line(PERIOD + 5, members);
    await main.load('PAYMENTS', [
      payment({ currency: 'EUR', result: 'SUCCESS', amount: 100, tipAmount: 10, taxAmount: 19 }),
      payment({ currency: 'EUR', result: 'SUCCESS', amount: 50 }),
      payment({ currency: 'EUR', result: 'FAIL', amount: 7, taxAmount: 1 }),
      payment({ currency: 'EUR', result: 'SUCCESS', tipAmount: 3 }),
      payment({ amount: 1 }),
    ]);
    const { text } = await exportAs({ type: 'PAYMENTS', startTime: PERIOD, endTime: PERIOD + 10 });
    expect(text).toContain(
      '"totals":{"elements":[' +
        '{"currency":"EUR","result":"FAIL","objects":1,"amount":7,"tipAmount":0,"taxAmount":1,"unsummed":0},' +
        '{"currency":"EUR","result":"SUCCESS","objects":3,"amount":150,"tipAmount":13,"taxAmount":19,"unsummed":1},' +
        '{"currency":null,"result":null,"objects":1,"amount":1,"tipAmount":0,"taxAmount":0,"unsummed":0}]}',
    );
  });

  test('without objects there are none; the snapshot has a time', async () => {
    const { done, text } = await exportAs({ startTime: START + 2 * DAY, endTime: START + 3 * DAY });
    expect(text).toMatch(
      /"files":\{"elements":\[\]\},"totals":\{"elements":\[\]\},"snapshotTime":\d{13}\}$/,
    );
    const { snapshotTime } = done as unknown as { snapshotTime: number };
    expect(snapshotTime).toBeGreaterThanOrEqual(done.createdTime);
    expect(snapshotTime).toBeLessThanOrEqual(done.modifiedTime);
  });
});
