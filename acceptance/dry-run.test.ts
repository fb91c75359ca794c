/** Asking what an export would hold (wire contract, "More of create"). */
import { beforeAll, expect, test } from 'vitest';
import { choosePeriod, DAY, json, line, main, nobody, other, readOrders } from './api.ts';
import { expectError, expectUnauthorized } from './error-shapes.ts';
import type { Answer } from './exact-requests.ts';

const START = choosePeriod(1994);
const RANGE = { type: 'ORDERS', startTime: START, endTime: START + DAY };

beforeAll(async () => {
  await main.load(
    'ORDERS',
    Array.from({ length: 2500 }, (_, i) => line(START + i)),
  );
});

function dryRun(client: typeof main, body: unknown, query = '?dryRun=true'): Promise<Answer> {
  return client.ask(client.path + query, { method: 'POST', body: JSON.stringify(body) });
}

async function ids(client: typeof main): Promise<string[]> {
  const answer = await client.ask(`${client.path}?limit=1000`);
  return json<{ elements: { id: string }[] }>(answer).elements.map(({ id }) => id);
}

test('counts exactly, estimates the rest, and creates nothing', async () => {
  const answer = await dryRun(main, RANGE);
  expect(answer.status, answer.text).toBe(200);
  expect(answer.text).toMatch(
    new RegExp(
      `^\\{"type":"ORDERS","startTime":${START},"endTime":${START + DAY},"objects":2500,"files":3,"estimatedBytes":\\d+,"estimatedMs":\\d+\\}$`,
    ),
  );
  const { export: done } = await main.export('ORDERS', START, START + DAY);
  const bytes = (done.files?.elements ?? []).reduce((sum, file) => sum + file.bytes, 0);
  const { estimatedBytes } = json<{ estimatedBytes: number }>(answer);
  expect(estimatedBytes).toBeGreaterThan(bytes / 2);
  expect(estimatedBytes).toBeLessThan(bytes * 2);
});

test('files are as many as the export would have', async () => {
  const answer = await dryRun(main, { ...RANGE, objectsPerFile: 2000, format: 'jsonl' });
  expect(json<{ files: number }>(answer).files).toBe(2);
  const empty = await dryRun(main, { ...RANGE, startTime: START + DAY, endTime: START + 2 * DAY });
  expect(json(empty)).toMatchObject({ objects: 0, files: 0, estimatedBytes: 0 });
});

test('sees its own merchant alone, and is refused as a create is', async () => {
  expect(json(await dryRun(other, RANGE))).toMatchObject({ objects: 0 });
  const before = await ids(other);
  await dryRun(other, RANGE);
  expect(await ids(other)).toEqual(before);
  expectUnauthorized(await dryRun(nobody, RANGE));
  expectUnauthorized(await dryRun(readOrders, { ...RANGE, type: 'PAYMENTS' }));
  expectError(await dryRun(main, { ...RANGE, endTime: START }), 400);
  expectError(await dryRun(main, RANGE, '?dryRun=yes'), 400);
});
