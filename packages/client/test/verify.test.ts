import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { verify, type Receipt } from '../src/files/index.ts';
import { failureOf, FROM, Scene } from './scene.ts';

describe('verify', () => {
  async function pulled(): Promise<Scene & { path: string }> {
    const scene = await Scene.begin();
    const { receipt } = await scene.pull();
    return Object.assign(scene, { path: receipt.ranges[0]?.files[0]?.path ?? '' });
  }

  test('finds an altered byte, a file cut off, one that is missing', async () => {
    await using scene = await pulled();
    const at = join(scene.out, scene.path);
    const good = await readFile(at);
    const one = async (): Promise<string> => {
      const { complete, faults } = await verify(scene.out);
      expect(complete).toBe(false);
      expect(faults.length).toBeGreaterThan(0);
      expect(faults[0]?.path).toBe(scene.path);
      return faults.map(({ message }) => message).join('; ');
    };
    const altered = Buffer.from(good);
    const digit = altered.indexOf('"total":') + 8;
    altered[digit] = altered[digit] === 0x31 ? 0x32 : 0x31;
    await writeFile(at, altered);
    expect(await one()).toMatch(/was altered: its SHA-256/);
    await writeFile(at, good.subarray(0, -1));
    expect(await one()).toMatch(/has \d+ bytes, and the receipt says \d+/);
    await rm(at);
    expect(await one()).toMatch(/is missing/);
    await writeFile(at, good);
    expect(await verify(scene.out)).toMatchObject({
      complete: true,
      checked: { files: 1, objects: 45 },
    });
  });

  const range = (receipt: Receipt): Receipt['ranges'][number] => receipt.ranges[0] as never;
  const edits: [string, (receipt: Receipt) => void][] = [
    ['a total', ({ totals }) => void ((totals.orders[0] as { total: number }).total += 1)],
    ['a month', ({ months }) => void ((months[0] as { amount: number }).amount += 1)],
    ['the objects', (receipt) => void receipt.objects++],
    ['the objects of a range', (receipt) => void range(receipt).objects++],
    ['the first time of a range', (receipt) => void (range(receipt).firstCreatedTime = FROM - 1)],
    ['what is outside', (receipt) => void range(receipt).outside++],
    [
      'the last time of a file',
      (receipt) =>
        void ((range(receipt).files[0] as never as { lastCreatedTime: number }).lastCreatedTime +=
          1),
    ],
    ['a range less', (receipt) => void receipt.ranges.pop()],
    [
      'a longer span',
      ({ spans }) => void ((spans[0] as { to: string }).to = '2026-02-28T00:00:00Z'),
    ],
    ['no span', ({ spans }) => void spans.pop()],
    ['complete', (receipt) => void (receipt.complete = false)],
    [
      'a range that is missing',
      (receipt) =>
        void receipt.missing.push({
          name: 'x',
          type: 'ORDERS',
          startTime: 0,
          endTime: 1,
          reason: 'why',
        }),
    ],
  ];
  test.each(edits)('finds an edited receipt: %s', async (_name, edit) => {
    await using scene = await pulled();
    const at = join(scene.out, 'receipt.json');
    const receipt = JSON.parse(await readFile(at, 'utf8')) as Receipt;
    edit(receipt);
    await writeFile(at, JSON.stringify(receipt));
    expect((await verify(scene.out)).complete).toBe(false);
  });

  test.each([
    ['/etc/passwd'],
    ['../other/receipt.json'],
    ['orders/../../x'],
    ['orders\\..\\x'],
    ['orders/a\0b'],
  ])('follows no path out of the directory: %j', async (path) => {
    await using scene = await pulled();
    const at = join(scene.out, 'receipt.json');
    const receipt = JSON.parse(await readFile(at, 'utf8')) as Receipt;
    (range(receipt).files[0] as { path: string }).path = path;
    await writeFile(at, JSON.stringify(receipt));
    const { complete, faults } = await verify(scene.out);
    expect(complete).toBe(false);
    expect(faults[0]).toMatchObject({ path, message: 'is no path inside the directory' });
  });

  test.each([
    '',
    '{',
    '[]',
    'null',
    '{"receipt":1}',
    '{"receipt":1,"ranges":[],"tables":[]}',
    '{"receipt":2,"ranges":[],"tables":[]}',
  ])('a receipt that is none: %s', async (text) => {
    await using scene = await pulled();
    await writeFile(join(scene.out, 'receipt.json'), text);
    const error = await failureOf(verify(scene.out), 'DIRECTORY');
    expect(error.message).toMatch(/receipt/);
  });

  test('where nothing was pulled', async () => {
    await using scene = await Scene.begin();
    expect((await failureOf(verify(scene.out), 'DIRECTORY')).hint).toMatch(/pull/);
  });
});
