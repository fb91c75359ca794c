import { readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { MANY, TYPES } from './many-objects.ts';
import { contents, catchFailure, LONG, LONG_FROM, LONG_TO, Scene } from './scene.ts';

describe('a preview', () => {
  test.concurrent('says what would be fetched, and does nothing', async () => {
    await using scene = await Scene.begin({ ...MANY, orders: 100, payments: 100 });
    const client = scene.client();
    const options = { ...LONG, types: TYPES, out: scene.out };
    const preview = await client.preview(options);
    expect(
      preview.months.map(({ path, isComplete, exports }) => [path, isComplete, exports.length]),
    ).toEqual(
      TYPES.flatMap((type) =>
        ['2026-01', '2026-02', '2026-03'].map((month) => [
          `${type.toLowerCase()}/${month}.jsonl`,
          false,
          1,
        ]),
      ),
    );
    expect(scene.count('create')).toBe(0);
    expect(await readdir(scene.directory)).toEqual([]);

    await client.pull(options);
    const before = await contents(scene.out);
    await unlink(join(scene.out, 'orders/2026-02.jsonl'));
    const later = await client.preview(options);
    expect(later.months.filter(({ isComplete }) => !isComplete)).toMatchObject([
      { path: 'orders/2026-02.jsonl', exports: [{ id: null }] },
    ]);
    expect(later).toMatchObject({
      from: LONG_FROM,
      to: LONG_TO,
      format: 'jsonl',
      timezone: 'UTC',
    });
    await client.pull(options);
    expect(await contents(scene.out)).toEqual(before);
    expect((await client.preview(options)).months.every(({ isComplete }) => isComplete)).toBe(true);
  });

  test.concurrent('refuses what a pull would refuse', async () => {
    await using scene = await Scene.begin();
    await scene.pull();
    const options = { types: ['ORDERS' as const], from: LONG_FROM, to: LONG_TO, out: scene.out };
    await catchFailure(scene.client().preview({ ...options, format: 'csv' }), 'USAGE');
    await catchFailure(scene.client().preview({ ...options, columns: ['id'] }), 'USAGE');
    await catchFailure(scene.client().preview({ ...options, csvBom: true }), 'USAGE');
    await catchFailure(scene.client().preview({ ...options, to: LONG_FROM }), 'USAGE');
  });
});
