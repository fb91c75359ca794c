import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Assembler } from '../src/assemble/assembler.ts';
import { AssemblyScene, parseIds, joinLines, sale } from './assembly-scene.ts';
import { catchFailure } from './scene.ts';

describe('in its thread', () => {
  test('months are assembled one after the other; a failed one leaves nothing', async () => {
    const scene = new AssemblyScene();
    const other = new AssemblyScene();
    await using assembler = new Assembler();
    const first = await assembler.begin(scene.job());
    const second = assembler.begin(other.job());
    await first.add(scene.part('E', [sale('A', 0), sale('A', 1)]));
    await catchFailure(first.finish(), 'DUPLICATE_ID');
    expect(readdirSync(scene.folder).filter((name) => !name.startsWith('part'))).toEqual([]);
    const session = await second;
    await catchFailure(session.add(other.part('F', [], '{')), 'BAD_FILE');
    await session.add(other.part('F', [sale('B', 0)]));
    expect(await session.finish()).toMatchObject({ objects: 1 });
    await session.abort();
    expect(parseIds(other.lines())).toEqual(['B']);
  });

  test('an abort ends what is under way, and removes it', async () => {
    const scene = new AssemblyScene();
    await using assembler = new Assembler();
    const session = await assembler.begin(scene.job());
    const many = Array.from({ length: 50_000 }, (_, i) => sale(`S${50_000 - i}`, 50_000 - i));
    await session.add(scene.part('E', many));
    const finishing = session.finish();
    const aborting = session.abort();
    await catchFailure(finishing, 'INTERRUPTED');
    await aborting;
    expect(readdirSync(scene.folder).filter((name) => !name.startsWith('part'))).toEqual([]);
  });

  test('disposal ends a call that waits', async () => {
    const scene = new AssemblyScene();
    const assembler = new Assembler();
    const session = await assembler.begin(scene.job());
    const adding = session.add(scene.part('E', [sale('A', 0)]));
    await Promise.all([catchFailure(adding, 'INTERRUPTED'), assembler[Symbol.asyncDispose]()]);
    await catchFailure(assembler.begin(scene.job()), 'INTERRUPTED');
  });

  test('a system error keeps its code', async () => {
    const scene = new AssemblyScene();
    await using assembler = new Assembler();
    const output = join(scene.folder, 'none', 'lines');
    await expect(assembler.begin(scene.job({ output }))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('an existing file that was altered is named', async () => {
    const scene = new AssemblyScene();
    await using assembler = new Assembler();
    const existing = scene.existing([sale('A', 0)]);
    writeFileSync(existing.path, joinLines([sale('A', 0, { total: 7 })]));
    expect(
      (await catchFailure(assembler.begin(scene.job({ existing })), 'DIRECTORY')).message,
    ).toBe(`${existing.path} was altered; delete it and run the pull again`);
    writeFileSync(existing.path, '{');
    await catchFailure(assembler.begin(scene.job({ existing })), 'DIRECTORY');
  });

  test('ids of two files are found in both, whatever became of their index', async () => {
    await using assembler = new Assembler();
    const [a, b] = [new AssemblyScene(), new AssemblyScene()];
    await a.assemble([a.part('E', [sale('A', 0), sale('B', 1, { modifiedTime: 5 })])]);
    await b.assemble([b.part('F', [sale('B', 2, { modifiedTime: 6 }), sale('C', 3)])], {
      gzip: true,
    });
    const indexed = (of: AssemblyScene, gzip: boolean) => ({ lines: of.output, ids: of.ids, gzip });
    const shared = () => assembler.findShared(indexed(a, false), indexed(b, true));
    const expected = [{ id: 'B', modifiedA: 5, modifiedB: 6 }];
    expect(await shared()).toEqual(expected);
    writeFileSync(a.ids, 'damaged');
    expect(await shared()).toEqual(expected);
    writeFileSync(b.ids, Float64Array.of(2, 1));
    expect(await shared()).toEqual(expected);
  });
});
