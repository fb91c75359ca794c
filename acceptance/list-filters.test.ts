/** Filters of the list of exports (wire contract, "List"). */
import { beforeAll, expect, test } from 'vitest';
import { choosePeriod, DAY, json, other, type ExportObject } from './api.ts';
import { expectError } from './error-shapes.ts';

const START = choosePeriod(1995);

interface List {
  elements: ExportObject[];
  href: string;
}

let orders: ExportObject;
let payments: ExportObject;

beforeAll(async () => {
  orders = (await other.export('ORDERS', START, START + DAY)).export;
  payments = (await other.export('PAYMENTS', START, START + DAY)).export;
});

async function list(query: string): Promise<List> {
  const answer = await other.ask(`${other.path}?${query}`);
  expect(answer.status, answer.text).toBe(200);
  return json<List>(answer);
}

const ids = ({ elements }: List): string[] => elements.map(({ id }) => id);

test('by type, status and time, alone and together', async () => {
  const since = `createdSince=${orders.createdTime}`;
  expect(ids(await list(`${since}&type=ORDERS`))).toContain(orders.id);
  expect(ids(await list(`${since}&type=ORDERS`))).not.toContain(payments.id);
  expect(ids(await list(`${since}&status=DONE`))).toEqual(
    expect.arrayContaining([payments.id, orders.id]),
  );
  for (const { status } of (await list('status=DONE&limit=1000')).elements)
    expect(status).toBe('DONE');
  expect(ids(await list(`createdSince=${orders.createdTime + 1}`))).not.toContain(orders.id);
  expect(ids(await list(`createdBefore=${orders.createdTime}`))).not.toContain(orders.id);
  expect(ids(await list(`createdBefore=${orders.createdTime + 1}&limit=1000`))).toContain(
    orders.id,
  );
  expect((await list('createdSince=8640000000000000')).elements).toEqual([]);
});

test('href says what was asked for', async () => {
  const { href } = await list('type=ORDERS&status=DONE&createdSince=5&createdBefore=6&limit=7');
  const { searchParams } = new URL(href);
  expect(Object.fromEntries(searchParams)).toEqual({
    limit: '7',
    offset: '0',
    type: 'ORDERS',
    status: 'DONE',
    createdSince: '5',
    createdBefore: '6',
  });
});

test.each([
  ['status=done', 'status must be one of PENDING, IN_PROGRESS, DONE, FAILED, CANCELED'],
  ['type=REFUNDS', 'type must be one of ORDERS, PAYMENTS'],
  ['createdSince=yesterday', 'createdSince must be a whole number in digits'],
  ['createdBefore=-1', 'createdBefore must be a whole number in digits'],
  ['createdBefore=8640000000000001', 'createdBefore must be a whole number in digits'],
])('%s is 400', async (query, message) => {
  const answer = await other.ask(`${other.path}?${query}`);
  expectError(answer, 400);
  expect(answer.text).toContain(message);
});
