/** Exports of what changed since a cursor, deletions included (wire contract, "Changes and deletions"). */
import { describe, expect, test } from 'vitest';
import {
  choosePeriod,
  DAY,
  download,
  freshId,
  json,
  line,
  main,
  nobody,
  other,
  parseElements,
  readOrders,
  type Client,
  type ExportObject,
} from './api.ts';
import { expectError, expectUnauthorized } from './error-shapes.ts';
import type { Answer } from './exact-requests.ts';

const START = choosePeriod(1997);

interface Changes {
  export: ExportObject & { cursor: string };
  /** Texts of the objects, in order. */
  objects: string[];
  tombstones: { id: string; deleted: true; deletedTime: number }[];
}

async function changes(since: string, type: 'ORDERS' | 'PAYMENTS' = 'PAYMENTS'): Promise<Changes> {
  const created = await main.post({ type, since });
  expect(created.status, created.text).toBe(200);
  const { export: done, urls } = await main.poll(json<ExportObject>(created).id);
  const found: Changes = {
    export: done as Changes['export'],
    objects: [],
    tombstones: [],
  };
  for (const [i, file] of (done.files?.elements ?? []).entries()) {
    const elements = parseElements((await download(urls[i] ?? '')).bytes);
    expect(elements).toHaveLength(file.objects);
    const { kind } = file as { kind?: string };
    if (kind === undefined) found.objects.push(...elements);
    else {
      expect(kind).toBe('deletions');
      found.tombstones.push(
        ...elements.map((text) => JSON.parse(text) as Changes['tombstones'][0]),
      );
    }
  }
  return found;
}

function remove(client: Client, ids: readonly string[], type = 'payments'): Promise<Answer> {
  return client.ask(`/v3/merchants/${client.merchant}/${type}/bulk-delete`, {
    method: 'POST',
    body: ids.map((id) => `${JSON.stringify({ id })}\n`).join(''),
    headers: { 'content-type': 'application/x-ndjson' },
  });
}

describe('a reader that follows', () => {
  test('hears of every object once, as it is now, and of every deletion', async () => {
    const [a, b, c] = [freshId(), freshId(), freshId()];
    const first = [line(START, { id: a, v: 1 }), line(START + 1, { id: b, v: 1 })];
    const { export: before } = await changes('');
    await main.load('PAYMENTS', first);
    const loaded = await changes(before.cursor);
    expect(loaded.objects).toEqual(first);
    expect(loaded.tombstones).toEqual([]);
    expect(loaded.export.startTime).toBe(0);
    expect(loaded.export.endTime).toBe(loaded.export.createdTime);

    // Nothing happened: nothing is told, and the cursor stays good.
    const quiet = await changes(loaded.export.cursor);
    expect(quiet.objects).toEqual([]);
    expect(quiet.export.files).toEqual({ elements: [] });

    const newer = line(START, { id: a, v: 2, modifiedTime: START + 5 });
    await main.load('PAYMENTS', [line(START + 9, { id: c, v: 1 })]);
    await main.load('PAYMENTS', [newer]);
    // Loaded again unchanged, an object has not changed.
    await main.load('PAYMENTS', [first[1] ?? '']);
    expect(json(await remove(main, [c, c, 'nobody']))).toEqual({
      received: 3,
      deleted: 1,
      unknown: 2,
    });
    const next = await changes(quiet.export.cursor);
    expect(next.objects).toEqual([newer]);
    expect(next.tombstones).toEqual([
      { id: c, deleted: true, deletedTime: expect.any(Number) as number },
    ]);

    // Loading an id again revives it.
    const revived = line(START + 9, { id: c, v: 3 });
    await main.load('PAYMENTS', [revived]);
    const last = await changes(next.export.cursor);
    expect(last.objects).toEqual([revived]);
    expect(last.tombstones).toEqual([]);
    // An older cursor sees the same end, in the order of the loads.
    const all = await changes(quiet.export.cursor);
    expect(all.objects).toEqual([newer, revived]);
    expect(all.tombstones).toEqual([]);
  });

  test('an export by createdTime has neither deleted objects nor tombstones', async () => {
    const at = START + 50 * DAY;
    const [kept, gone] = [line(at), line(at + 1)];
    await main.load('PAYMENTS', [kept, gone]);
    await remove(main, [JSON.parse(gone).id as string]);
    expect(await main.objects('PAYMENTS', at, at + 10)).toEqual([kept]);
  });

  test('objects and tombstones are in files of their own, of the size asked for', async () => {
    const { export: before } = await changes('', 'ORDERS');
    const lines = Array.from({ length: 2300 }, (_, i) => line(START + i));
    await main.load('ORDERS', lines);
    const ids = lines.slice(0, 1200).map((each) => (JSON.parse(each) as { id: string }).id);
    expect(json(await remove(main, ids, 'orders'))).toMatchObject({ deleted: 1200 });
    const { export: done } = await changes(before.cursor, 'ORDERS');
    const files = done.files?.elements as { objects: number; kind?: string }[];
    expect(files.map(({ objects, kind }) => [objects, kind])).toEqual([
      [1000, undefined],
      [100, undefined],
      [1000, 'deletions'],
      [200, 'deletions'],
    ]);
  });

  test('a dry run counts what changed', async () => {
    const { export: before } = await changes('');
    await main.load('PAYMENTS', [line(START + 3), line(START + 4)]);
    const answer = await main.ask(`${main.path}?dryRun=true`, {
      method: 'POST',
      body: JSON.stringify({ type: 'PAYMENTS', since: before.cursor }),
    });
    expect(json(answer)).toMatchObject({ startTime: 0, objects: 2, files: 1 });
  });
});

describe('a cursor', () => {
  test('that is not one of this merchant and type is 400', async () => {
    const { export: mine } = await changes('');
    const { cursor } = mine;
    const flipped = `${cursor.slice(0, -1)}${cursor.endsWith('A') ? 'B' : 'A'}`;
    const bad = [flipped, `${cursor}A`, cursor.slice(1), 'x', 'MS4u', '0', ' ', cursor + '='];
    for (const since of bad) {
      const answer = await main.post({ type: 'PAYMENTS', since });
      expectError(answer, 400);
      expect(answer.text).toContain('since is not a cursor of this merchant and type');
    }
    expectError(await main.post({ type: 'ORDERS', since: cursor }), 400);
    expectError(await other.post({ type: 'PAYMENTS', since: cursor }), 400);
  });

  test.each([
    [{ since: 7 }, 'since must be the cursor'],
    [{ since: null }, 'since must be the cursor'],
    [{ since: 'x'.repeat(300) }, 'since must be the cursor'],
    [{ since: '', startTime: START }, 'startTime must not be sent with it'],
    [{ since: '', endTime: START }, 'endTime must not be sent with it'],
  ])('%j is 400', async (more, message) => {
    const answer = await main.post({ type: 'PAYMENTS', ...more });
    expectError(answer, 400);
    expect(answer.text).toContain(message);
  });

  test('needs the permission to read', async () => {
    expectUnauthorized(await readOrders.post({ type: 'PAYMENTS', since: '' }));
    expectUnauthorized(await nobody.post({ type: 'PAYMENTS', since: '' }));
  });
});

describe('bulk-delete', () => {
  test('needs the permission to write, and reaches its own merchant alone', async () => {
    const object = line(START + 7);
    const { id } = JSON.parse(object) as { id: string };
    await main.load('PAYMENTS', [object]);
    expectUnauthorized(await remove(nobody, [id]));
    expectUnauthorized(await remove(readOrders, [id]));
    expect(json(await remove(other, [id]))).toEqual({ received: 1, deleted: 0, unknown: 1 });
    expect(json(await remove(main, [id], 'orders'))).toMatchObject({ deleted: 0 });
    expect(json(await remove(main, []))).toEqual({ received: 0, deleted: 0, unknown: 0 });
    expect(json(await remove(main, [id]))).toEqual({ received: 1, deleted: 1, unknown: 0 });
  });

  test.each([
    ['{"id":7}', 'id must be a string'],
    ['{}', 'id must be a string of 1 to 64 bytes without control characters; got nothing'],
    ['{"id":""}', 'id must be a string'],
    [`{"id":"${'x'.repeat(65)}"}`, 'id must be a string'],
    ['["a"]', 'must be a JSON object'],
    ['"a"', 'must be a JSON object'],
    ['{"id":"a"', 'must be a JSON object'],
    [`{"id":"a","x":"${'x'.repeat(5000)}"}`, 'at most 4096 bytes'],
  ])('%s: 400, and nothing is deleted', async (bad, message) => {
    const object = line(START + 8);
    const { id } = JSON.parse(object) as { id: string };
    await main.load('PAYMENTS', [object]);
    const answer = await main.ask(`/v3/merchants/${main.merchant}/payments/bulk-delete`, {
      method: 'POST',
      body: `{"id":"${id}"}\n${bad}\n`,
    });
    expectError(answer, 400);
    expect(json<{ details: string }>(answer).details).toContain(message);
    expect(json<{ details: string }>(answer).details).toContain('line 2');
    expect(json(await remove(main, [id]))).toMatchObject({ deleted: 1 });
  });
});
