import { describe, expect, test } from 'vitest';
import {
  contents,
  expectComplete,
  catchFailure,
  FROM,
  makeLines,
  LONG,
  LONG_EDGES,
  LONG_FROM,
  LONG_MONTHS,
  LONG_TO,
  Scene,
  TO,
} from './scene.ts';

describe('the life of an export', () => {
  test.concurrent('never finishes: TIMEOUT; the same export is taken up again', async () => {
    await using scene = await Scene.begin({ faults: { unfinished: { times: 1 } } });
    const result = await scene.pull({}, scene.client({ timeoutMs: 600 }));
    const [created] = scene.fake.exports;
    expect(result.complete).toBe(false);
    expect(result.failed).toMatchObject([{ code: 'TIMEOUT' }]);
    expect(result.failed[0]?.message).toMatch(
      new RegExp(`${created?.id} is still IN_PROGRESS at 50 % after 0.6 s`),
    );
    expect(result.failed[0]?.hint).toMatch(/more time/);
    const polled = scene.count('read');
    expect(polled).toBeLessThanOrEqual(4);
    const again = await scene.pull({}, scene.client({ timeoutMs: 300 }));
    expect(again.failed).toMatchObject([{ code: 'TIMEOUT' }]);
    expect(scene.count('create')).toBe(1);
    expect(scene.count('read')).toBeGreaterThan(polled);
  });

  test.concurrent.each(['FAILED', 'CANCELED'])('%s once, then fine', async (status) => {
    await using scene = await Scene.begin({ faults: { failed: { times: 1, status } } });
    const result = await expectComplete(scene, scene.pull());
    expect(scene.count('create')).toBe(2);
    expect(result.receipt.files[0]?.exports).toEqual([scene.fake.exports[1]?.id]);
  });

  test.concurrent('FAILED always: the other months are there', async () => {
    const code = 'SOURCE_UNAVAILABLE';
    await using scene = await Scene.begin({ ...LONG, orders: 90, faults: { failed: { code } } });
    // The first month is made before the fault begins.
    scene.fake.set({});
    await scene.pull({ from: LONG_FROM, to: LONG_EDGES[0] });
    scene.fake.set({ failed: { code } });
    const result = await scene.pull(LONG);
    expect(result.complete).toBe(false);
    expect(result.failed.map(({ name }) => name)).toEqual(LONG_MONTHS.slice(1));
    expect(result.failed[0]).toMatchObject({
      code: 'EXPORT_FAILED',
      message: expect.stringMatching(/ended as FAILED: SOURCE_UNAVAILABLE: A fault that was/),
    });
    expect(scene.count('create')).toBe(1 + 2 * 3);
    expect(result.receipt.missing.map(({ name }) => name)).toEqual(
      result.failed.map(({ name }) => name),
    );
    expect(await contents(scene.out)).toEqual(
      makeLines(scene.fake, ['ORDERS'], LONG_FROM, LONG_EDGES[0]),
    );
    scene.fake.set({});
    await expectComplete(
      scene,
      scene.pull(LONG),
      makeLines(scene.fake, ['ORDERS'], LONG_FROM, LONG_TO),
    );
  });

  test.concurrent('a list that holds something else', async () => {
    await using scene = await Scene.begin();
    const client = scene.client();
    await client.create({ type: 'ORDERS', startTime: FROM, endTime: TO });
    expect((await client.list()).elements).toMatchObject([{ type: 'ORDERS' }]);
    for (const body of ['{"elements":[{"id":"../.."}]}', '{"elements":{}}', '[]', 'null']) {
      scene.fake.set({ status: { on: 'list', status: 200, body } });
      await catchFailure(client.list(), 'PROTOCOL');
    }
  });

  test.concurrent('what a failure says reaches no terminal raw', async () => {
    const failure = { code: 'X', message: 'a\u001b]0;b\u0007\nc' };
    await using scene = await Scene.begin({
      faults: { members: { on: 'read', set: { status: 'FAILED', failure } } },
    });
    const { failed } = await scene.pull();
    expect(failed).toMatchObject([{ code: 'EXPORT_FAILED' }]);
    expect(failed[0]?.message).toMatch(/ended as FAILED: X: a \]0;b c$/);
  });

  test.concurrent('forgotten (404) while it is made: asked for anew', async () => {
    await using scene = await Scene.begin({
      ready: { polls: 2 },
      faults: { forgotten: { reads: 1, times: 1 } },
    });
    await expectComplete(scene, scene.pull());
    expect(scene.count('create')).toBe(2);
  });

  test.concurrent('forgotten between two runs: asked for anew', async () => {
    await using scene = await Scene.begin({
      faults: { unfinished: { times: 1 }, forgotten: { reads: 2, times: 1 } },
    });
    await scene.pull({}, scene.client({ timeoutMs: 0 }));
    await expectComplete(scene, scene.pull());
    expect(scene.count('create')).toBe(2);
  });

  test.concurrent('files that vanish (410): exported anew for that month alone', async () => {
    await using scene = await Scene.begin({
      ...LONG,
      orders: 240,
      faults: { vanished: { downloads: 3, after: 1, times: 1 } },
    });
    const expected = makeLines(scene.fake, ['ORDERS'], LONG_FROM, LONG_TO);
    await expectComplete(scene, scene.pull(LONG), expected);
    const spans = scene.fake.exports.map(({ request }) => request.startTime);
    expect(spans).toHaveLength(4);
    expect(spans.filter((time) => time === LONG_EDGES[0])).toHaveLength(2);
  });

  test.concurrent('files that always vanish: a few exports, then GONE', async () => {
    await using scene = await Scene.begin({ faults: { vanished: { downloads: 2 } } });
    const result = await scene.pull();
    expect(result.failed).toMatchObject([{ code: 'GONE' }]);
    expect(scene.count('create')).toBe(3);
  });

  test.concurrent('DONE without URLs', async () => {
    await using scene = await Scene.begin({
      faults: { members: { on: 'read', remove: ['exportUrls'], inStatus: 'DONE' } },
    });
    const result = await scene.pull();
    expect(result.failed).toMatchObject([{ code: 'GONE' }]);
    expect(result.failed[0]?.message).toContain(scene.fake.exports.at(-1)?.id);
  });

  test.concurrent.each([
    { id: '..' },
    { id: '../../M2/exports/X' },
    { id: 'a/b' },
    { id: 'x\r\nHost: evil' },
    { id: '' },
    { id: 42 },
    { status: 'SPLENDID' },
    { type: 'CUSTOMERS' },
    { exportUrls: { elements: [{}] } },
    { exportUrls: 7 },
    { files: { elements: [{ objects: -0.5 }] } },
    { files: 'none' },
  ])('an export that says %o is none', async (set) => {
    await using scene = await Scene.begin({
      faults: { members: { on: ['create', 'read'], set } },
    });
    const result = await scene.pull();
    expect(result.failed).toMatchObject([{ code: 'PROTOCOL' }]);
    expect(result.failed[0]?.message).toMatch(/the answer is not an export: \{/);
    expect(scene.fake.requests.every(({ kind }) => kind !== 'unknown')).toBe(true);
  });

  test.concurrent('the answer is about another export', async () => {
    await using scene = await Scene.begin({
      faults: { members: { on: 'read', set: { id: 'OTHER00000000' } } },
    });
    const result = await scene.pull();
    expect(result.failed).toMatchObject([{ code: 'PROTOCOL' }]);
    expect(result.failed[0]?.message).toMatch(/OTHER00000000/);
  });
});

describe('a token that is revoked in the middle', () => {
  test('stops with UNAUTHORIZED; later nothing is fetched twice', async () => {
    await using scene = await Scene.begin({
      ...LONG,
      orders: 240,
      // Availability aside: create, read, create, read are let through.
      faults: { status: { on: ['create', 'read'], status: 401, after: 4 } },
    });
    const error = await catchFailure(scene.pull(LONG), 'UNAUTHORIZED');
    expect(error.hint).toMatch(/token/);
    expect(scene.fake.requests.filter(({ status }) => status === 401)).toHaveLength(1);
    const done = makeLines(scene.fake, ['ORDERS'], LONG_FROM, LONG_EDGES[1]);
    expect(await contents(scene.out)).toEqual(done);
    const fetched = scene.count('file');
    expect(fetched).toBeGreaterThan(10);

    scene.fake.set({});
    const expected = makeLines(scene.fake, ['ORDERS'], LONG_FROM, LONG_TO);
    await expectComplete(scene, scene.pull(LONG), expected);
    const files = scene.fake.requests.filter(({ kind }) => kind === 'file');
    expect(new Set(files.map(({ path }) => path)).size).toBe(files.length);
    expect(scene.count('create')).toBe(4);
  });
});
