/** Canceling an export and deleting its files (wire contract, "Cancel and delete"). */
import { beforeAll, expect, test } from 'vitest';
import {
  choosePeriod,
  download,
  json,
  line,
  main,
  nobody,
  other,
  otherApp,
  readOrders,
  type ExportObject,
} from './api.ts';
import { expectExportNotFound, expectUnauthorized } from './error-shapes.ts';
import type { Answer } from './exact-requests.ts';

const START = choosePeriod(1991);
const END = START + 10_000;

beforeAll(async () => {
  await main.load(
    'ORDERS',
    Array.from({ length: 1500 }, (_, i) => line(START + i)),
  );
});

function remove(client: typeof main, id: string): Promise<Answer> {
  return client.ask(`${client.path}/${id}`, { method: 'DELETE' });
}

test('DONE: its files are gone at once, and the manifest stays', async () => {
  const done = await main.export('ORDERS', START, END);
  const answer = await remove(main, done.export.id);
  expect(answer.status, answer.text).toBe(200);
  const deleted = json<ExportObject>(answer);
  const { exportUrls: _urls, ...kept } = done.export;
  expect(deleted).toEqual({
    ...kept,
    availableUntil: deleted.availableUntil,
    modifiedTime: deleted.modifiedTime,
  });
  expect(deleted.availableUntil).toBeLessThan(done.export.availableUntil ?? 0);
  expect(deleted.modifiedTime).toBeGreaterThan(done.export.modifiedTime);
  for (const url of done.urls) expect((await download(url)).status).toBe(410);
  // Again: unchanged.
  expect((await remove(main, done.export.id)).text).toBe(answer.text);
  expect((await main.read(done.export.id)).text).toBe(answer.text);
});

test('an open one becomes CANCELED, or was DONE before: never anything else', async () => {
  const created = await Promise.all(
    Array.from({ length: 4 }, () => main.create('ORDERS', START, END)),
  );
  for (const { id } of created) {
    const answer = await remove(main, id);
    expect(answer.status, answer.text).toBe(200);
    const ended = json<ExportObject>(answer);
    expect(ended.status).toBeOneOf(['CANCELED', 'DONE']);
    expect(ended).not.toHaveProperty('exportUrls');
    expect((await remove(main, id)).text).toBe(answer.text);
  }
});

test('only who may read it may delete it', async () => {
  const { export: done } = await main.export('ORDERS', START, END);
  expectUnauthorized(await remove(nobody, done.id));
  expectExportNotFound(await remove(otherApp, done.id));
  expectExportNotFound(await remove(other, done.id));
  expectExportNotFound(await remove(main, '0000000000000'));
  const { export: payments } = await main.export('PAYMENTS', START, END);
  expectUnauthorized(await remove(readOrders, payments.id));
  expect(json<ExportObject>(await main.read(done.id)).exportUrls?.elements).toHaveLength(2);
  expect((await remove(readOrders, done.id)).status).toBe(200);
});
