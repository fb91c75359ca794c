import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hashId, readIdIndex } from '../src/assemble/id-index.ts';
import {
  AssemblyScene,
  countSales,
  elements,
  parseIds,
  joinLines,
  sale,
  START,
} from './assembly-scene.ts';
import { inOrder, ordered, type Sale, sha256 } from './output-directory.ts';
import { catchFailure } from './scene.ts';

describe('a month', () => {
  test('of parts in order is those parts, one behind the other', async () => {
    const scene = new AssemblyScene();
    const sales = Array.from({ length: 30 }, (_, i) => sale(`S${i}`, i));
    const file = await scene.assemble([
      scene.part('E1', sales.slice(0, 10)),
      scene.part('E1', sales.slice(10, 20), gzipSync(elements(sales.slice(10, 20)))),
      scene.part('E2', sales.slice(20)),
    ]);
    expect(scene.lines()).toBe(joinLines(sales));
    const bytes = readFileSync(scene.output);
    expect(file).toEqual({
      objects: 30,
      bytes: bytes.length,
      sha256: sha256(bytes),
      first: START,
      last: START + 29,
      tally: countSales(sales),
    });
    expect(await readIdIndex(scene.ids)).toEqual(
      Float64Array.from(sales, ({ id }) => hashId(id)).sort(),
    );
    expect(readdirSync(scene.folder).filter((name) => !name.startsWith('part'))).toEqual([
      'ids',
      'lines',
    ]);
  });

  test('of nothing is an empty file, also as gzip', async () => {
    for (const gzip of [false, true]) {
      const scene = new AssemblyScene();
      const file = await scene.assemble([scene.part('E', [])], { gzip });
      expect(file).toMatchObject({ objects: 0, first: null, last: null });
      const bytes = readFileSync(scene.output);
      expect(file.bytes).toBe(bytes.length);
      expect((gzip ? gunzipSync(bytes) : bytes).toString()).toBe('');
    }
  });

  test('as gzip has the checksum of the file on disk', async () => {
    const scene = new AssemblyScene();
    const sales = Array.from({ length: 500 }, (_, i) => sale(`S${i}`, i));
    const file = await scene.assemble([scene.part('E', sales)], { gzip: true });
    const bytes = readFileSync(scene.output);
    expect(file).toMatchObject({ bytes: bytes.length, sha256: sha256(bytes) });
    expect(gunzipSync(bytes).toString()).toBe(joinLines(sales));
  });

  test('has each object byte for byte, without the line breaks between its tokens', async () => {
    const scene = new AssemblyScene();
    const odd = '{"id":"A", "createdTime":1767225600000 ,"note":"a\\nb","x":1.50e0}';
    const pretty = '{\r\n  "id": "B",\n  "createdTime": 1767225600001\n}';
    await scene.assemble([scene.part('E', [], `{"elements":[${odd},\n${pretty}\n]}`)]);
    expect(scene.lines()).toBe(`${odd}\n{  "id": "B",  "createdTime": 1767225600001}\n`);
  });

  const word = fc.constantFrom('a', 'B', 'é', '\u{10000}', '\uffff', 'zz', 'A1');
  const anySale = fc.record({
    id: word,
    createdTime: fc.integer({ min: START, max: START + 5 }),
    modifiedTime: fc.integer({ min: 0, max: 3 }),
    currency: fc.constantFrom('USD', 'EUR'),
    total: fc.integer({ min: -500, max: 500 }),
  });
  test('of any parts has each id once, the newest, the later one on a tie, in order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uniqueArray(anySale, { selector: ({ id }) => id, maxLength: 6 }), {
          maxLength: 5,
        }),
        fc.boolean(),
        fc.boolean(),
        async (exports, hasExisting, collide) => {
          const scene = new AssemblyScene();
          const before = hasExisting ? (exports[0] ?? []).toSorted(inOrder) : [];
          const stays = new Map<string, Sale>();
          for (const each of [...before, ...exports.flat()])
            if ((stays.get(each.id)?.modifiedTime ?? -1) <= (each.modifiedTime ?? 0))
              stays.set(each.id, each);
          const expected = [...stays.values()].toSorted(inOrder);
          const file = await scene.assemble(
            exports.map((sales, i) => scene.part(`E${i}`, sales)),
            hasExisting ? { existing: scene.existing(before) } : {},
            // Hashes that are equal only tell that ids may be.
            collide ? { hash: (id) => id.length } : {},
          );
          expect(scene.lines()).toBe(joinLines(expected));
          expect(ordered(file.tally)).toEqual(ordered(countSales(expected)));
          expect(file).toMatchObject({
            objects: expected.length,
            first: expected[0]?.createdTime ?? null,
            last: expected.at(-1)?.createdTime ?? null,
          });
          expect(existsSync(`${scene.output}.tmp`)).toBe(false);
        },
      ),
      { numRuns: 300 },
    );
  });

  test('keeps what is there where the parts bring nothing newer', async () => {
    const scene = new AssemblyScene();
    const old = [sale('A', 0), sale('B', 1, { modifiedTime: START + 9 }), sale('C', 2)];
    const fresh = [sale('B', 1, { modifiedTime: START + 8, total: 1 }), sale('C', 2, { total: 2 })];
    for (const gzip of [false, true]) {
      const existing = scene.existing(old, gzip);
      await scene.assemble([scene.part('E', fresh)], { existing });
      expect(scene.lines()).toBe(joinLines([old[0]!, old[1]!, fresh[1]!]));
    }
  });

  test('leaves out excluded ids and what was created at the end of the span', async () => {
    const scene = new AssemblyScene();
    const existing = scene.existing([sale('A', 0), sale('B', 1)]);
    const parts = [scene.part('E', [sale('C', 2), sale('D', 3), sale('A', 4)])];
    const file = await scene.assemble(parts, { existing, exclude: ['A'], dropsAt: START + 3 });
    expect(parseIds(scene.lines())).toEqual(['B', 'C']);
    expect(file.tally.objects).toBe(2);
  });

  test('counts what was created outside of what it covers', async () => {
    const scene = new AssemblyScene();
    const file = await scene.assemble([scene.part('E', [sale('A', -1), sale('B', 0)])]);
    expect(file.tally).toMatchObject({ objects: 2, outside: 1 });
  });

  test('refuses an id that one export holds twice, in one part or in two', async () => {
    const scene = new AssemblyScene();
    const twice = [
      [scene.part('E', [sale('A', 0), sale('A', 0)])],
      [
        scene.part('E', [sale('A', 0)]),
        scene.part('F', [sale('B', 1)]),
        scene.part('E', [sale('A', 2)]),
      ],
    ];
    for (const parts of twice)
      expect((await catchFailure(scene.assemble(parts), 'DUPLICATE_ID')).message).toBe(
        'export E holds the id "A" twice',
      );
  });
});

test('one object of 60 MB, between others and out of order', { timeout: 60_000 }, async () => {
  const scene = new AssemblyScene();
  const large = sale('L', 5, { note: 'é"'.repeat(12_000_000) });
  const parts = [scene.part('E', [sale('A', 9), large, sale('B', 1)])];
  await scene.assemble(parts, { existing: scene.existing([sale('C', 3)]) });
  expect(parseIds(scene.lines())).toEqual(['B', 'C', 'L', 'A']);
  const expected = joinLines([sale('B', 1), sale('C', 3), large, sale('A', 9)]);
  expect(sha256(readFileSync(scene.output))).toBe(sha256(Buffer.from(expected)));
  const beyond = sale('M', 6, { note: 'x'.repeat(65 * 1024 * 1024) });
  await catchFailure(scene.assemble([scene.part('E', [beyond])]), 'BAD_FILE');
});
