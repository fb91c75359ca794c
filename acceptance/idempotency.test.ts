/** Creating with an `Idempotency-Key` (wire contract, "More of create"). */
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import {
  choosePeriod,
  DAY,
  json,
  main,
  otherApp,
  readOrders,
  nobody,
  type ExportObject,
} from './api.ts';
import { expectError, expectUnauthorized } from './error-shapes.ts';
import { exact, type Answer } from './exact-requests.ts';

const START = choosePeriod(1992);
const BODY = JSON.stringify({ type: 'ORDERS', startTime: START, endTime: START + DAY });

function create(key: string, body = BODY, client = main): Promise<Answer> {
  const headers = { ...client.auth, 'content-type': 'application/json', 'idempotency-key': key };
  return exact(client.base, client.path, { method: 'POST', body, headers });
}

test('a replay has the first answer, byte for byte, whatever became of the export', async () => {
  const key = randomUUID();
  const first = await create(key);
  expect(first.status, first.text).toBe(200);
  expect(first.headers.get('idempotent-replayed')).toBeNull();
  const { id } = json<ExportObject>(first);
  await main.poll(id);
  await main.ask(`${main.path}/${id}`, { method: 'DELETE' });
  const again = await create(key);
  expect(again.status).toBe(200);
  expect(again.headers.get('idempotent-replayed')).toBe('true');
  expect(again.headers.get('content-type')).toBe(first.headers.get('content-type'));
  expect(again.text).toBe(first.text);
});

test('at the same instant: one export', async () => {
  const key = randomUUID();
  const answers = await Promise.all(Array.from({ length: 8 }, () => create(key)));
  const served = answers.filter(({ status }) => status === 200);
  expect(served.length).toBeGreaterThan(0);
  expect(new Set(served.map(({ text }) => text)).size).toBe(1);
  expect(served.filter(({ headers }) => headers.get('idempotent-replayed') === null)).toHaveLength(
    1,
  );
});

test('another body with the same key is 422, also one that differs in a blank', async () => {
  const key = randomUUID();
  expect((await create(key)).status).toBe(200);
  expectError(await create(key, `${BODY} `), 422);
  expectError(await create(key, BODY.replace('ORDERS', 'PAYMENTS')), 422);
});

test('a key is of one merchant and app', async () => {
  const key = randomUUID();
  const [mine, theirs] = await Promise.all([create(key), create(key, BODY, otherApp)]);
  expect(theirs.status, theirs.text).toBe(200);
  expect(json<ExportObject>(theirs).id).not.toBe(json<ExportObject>(mine).id);
});

test('401 and 400 come first, and use no key up', async () => {
  const key = randomUUID();
  expectUnauthorized(await create(key, BODY, nobody));
  expectUnauthorized(await create(key, BODY.replace('ORDERS', 'PAYMENTS'), readOrders));
  expectError(await create(key, '{}'), 400);
  const first = await create(key);
  expect(first.status).toBe(200);
  expect(first.headers.get('idempotent-replayed')).toBeNull();
  expectError(await create(key, '{}'), 400);
});

test.each([
  ['empty', ''],
  ['too long', 'x'.repeat(256)],
  ['a blank', 'a b'],
  ['beyond ASCII', 'kä'],
  ['a tab', 'a\tb'],
])('a key that is not one is 400: %s', async (_name, key) => {
  const answer = await create(key);
  expectError(answer, 400);
  expect(answer.text).toContain('Idempotency-Key must be');
});

test('the longest key', async () => {
  const key = randomUUID().padEnd(255, '~');
  expect((await create(key)).status).toBe(200);
  expect((await create(key)).headers.get('idempotent-replayed')).toBe('true');
});
