import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { Assembly } from '../src/assemble/assembly.ts';
import {
  AssemblyScene,
  countSales,
  elements,
  expectedFor,
  joinLines,
  sale,
} from './assembly-scene.ts';
import { catchFailure } from './scene.ts';

describe('a bad part', () => {
  const good = [sale('A', 0), sale('B', 1)];
  const content = elements(good);
  test.each<[string, string | Buffer, RegExp]>([
    ['cut', content.slice(0, -5), /./],
    ['empty', '', /./],
    ['altered', content.replace('100', '200'), /its SHA-256 is \w+, and the manifest says \w+/],
    ['shorter', elements([good[0]!]), /it holds 1 objects, and the manifest says 2/],
    ['longer', `${content} `, /./],
    ['a page of HTML', '<html></html>', /./],
    ['gzip that is cut', gzipSync(content).subarray(0, -4), /its gzip data is damaged/],
  ])('%s: nothing of it is kept, and it may be added again', async (_name, served, message) => {
    const scene = new AssemblyScene();
    const before = [sale('X', -2), sale('Y', -1)];
    const after = [sale('Z', 5)];
    const assembly = await Assembly.begin(scene.job());
    await assembly.add(scene.part('E', before));
    const expected = expectedFor(content, 2);
    const bad = { ...scene.part('E', [], served), expected };
    for (let i = 0; i < 2; i++)
      expect((await catchFailure(assembly.add(bad), 'BAD_FILE')).message).toMatch(message);
    await assembly.add({ ...scene.part('E', good), expected });
    await assembly.add(scene.part('E', after));
    const file = await assembly.finish();
    expect(scene.lines()).toBe(joinLines([...before, ...good, ...after]));
    expect(file.tally).toEqual(countSales([...before, ...good, ...after]));
  });

  test('that is missing', async () => {
    const scene = new AssemblyScene();
    const assembly = await Assembly.begin(scene.job());
    const missing = { path: join(scene.folder, 'none'), exportId: 'E', expected: undefined };
    expect((await catchFailure(assembly.add(missing), 'BAD_FILE')).message).toBe('it is missing');
    await assembly.abort();
  });

  test('that is too large to be read whole is checked as a stream', async () => {
    const scene = new AssemblyScene();
    const note = 'x'.repeat(1_000_000);
    const large = Array.from({ length: 12 }, (_, i) => sale(`L${i}`, i, { note }));
    const text = elements(large);
    const assembly = await Assembly.begin(scene.job());
    const altered = scene.part('E', [], `${text.slice(0, -9)}y${text.slice(-8)}`);
    await catchFailure(assembly.add({ ...altered, expected: expectedFor(text, 12) }), 'BAD_FILE');
    await assembly.add({ ...scene.part('E', large), expected: expectedFor(text, 12) });
    await assembly.finish();
    expect(scene.lines()).toBe(joinLines(large));
  });
});
