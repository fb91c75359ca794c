import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { ExportFile } from '@tillroll/contract';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Assembler } from '../src/assemble/assembler.ts';
import { Assembly, type AssemblyOptions } from '../src/assemble/assembly.ts';
import { hashId, readIds } from '../src/assemble/ids.ts';
import type { AssembledFile, AssemblyJob, PartInput } from '../src/assemble/job.ts';
import { Counter, type Tally } from '../src/assemble/tally.ts';
import { emptyMembers } from '../src/json/members.ts';
import { inOrder, ordered, sha256, temporary, UTC, type Sale } from './output-directory.ts';
import { failureOf } from './scene.ts';

const START = Date.UTC(2026, 0, 1);
const COVERS = [{ startTime: START, endTime: Date.UTC(2026, 1, 1) }];

function sale(id: string, at: number, more: Partial<Sale> = {}): Sale {
  return { id, createdTime: START + at, currency: 'USD', total: 100 + at, ...more };
}

/** Parts and files of one test, in a folder of its own. */
class Bench {
  readonly folder = temporary();
  readonly output = join(this.folder, 'lines');
  readonly ids = join(this.folder, 'ids');
  #parts = 0;

  job(more: Partial<AssemblyJob> = {}): AssemblyJob {
    return {
      type: 'ORDERS',
      timezone: 'UTC',
      gzip: false,
      mode: 0o600,
      output: this.output,
      ids: this.ids,
      covers: COVERS,
      dropsAt: null,
      existing: undefined,
      exclude: [],
      ...more,
    };
  }

  /** Writes a part as it was served. */
  part(
    exportId: string,
    sales: readonly Sale[],
    served: string | Buffer = elements(sales),
  ): PartInput {
    const path = join(this.folder, `part-${this.#parts++}`);
    writeFileSync(path, served);
    return { path, exportId, expected: undefined };
  }

  async assemble(
    parts: readonly PartInput[],
    more: Partial<AssemblyJob> = {},
    options: AssemblyOptions = {},
  ): Promise<AssembledFile> {
    const assembly = await Assembly.begin(this.job(more), options);
    try {
      for (const part of parts) await assembly.add(part);
      return await assembly.finish();
    } catch (error) {
      await assembly.abort();
      throw error;
    }
  }

  /** A month's file that is there already. */
  existing(sales: readonly Sale[], gzip = false): NonNullable<AssemblyJob['existing']> {
    const path = join(this.folder, 'existing');
    const lines = Buffer.from(linesOf(sales));
    const bytes = gzip ? gzipSync(lines) : lines;
    writeFileSync(path, bytes);
    return { path, gzip, sha256: sha256(bytes) };
  }

  lines(): string {
    return readFileSync(this.output, 'utf8');
  }
}

const elements = (sales: readonly Sale[]): string => JSON.stringify({ elements: sales });
const linesOf = (sales: readonly Sale[]): string =>
  sales.map((each) => `${JSON.stringify(each)}\n`).join('');
const idsOf = (lines: string): string[] =>
  lines
    .split('\n')
    .slice(0, -1)
    .map((line) => (JSON.parse(line) as Sale).id);

function countSales(sales: readonly Sale[]): Tally {
  const counter = new Counter('ORDERS', COVERS, UTC);
  for (const each of sales) counter.add({ ...emptyMembers(), ...each });
  return counter.tally;
}

function expectedFor(content: string, objects: number): ExportFile {
  const bytes = Buffer.from(content);
  return { objects, bytes: bytes.length, sha256: sha256(bytes) } as ExportFile;
}

describe('a month', () => {
  test('of parts in order is those parts, one behind the other', async () => {
    const bench = new Bench();
    const sales = Array.from({ length: 30 }, (_, i) => sale(`S${i}`, i));
    const file = await bench.assemble([
      bench.part('E1', sales.slice(0, 10)),
      bench.part('E1', sales.slice(10, 20), gzipSync(elements(sales.slice(10, 20)))),
      bench.part('E2', sales.slice(20)),
    ]);
    expect(bench.lines()).toBe(linesOf(sales));
    const bytes = readFileSync(bench.output);
    expect(file).toEqual({
      objects: 30,
      bytes: bytes.length,
      sha256: sha256(bytes),
      first: START,
      last: START + 29,
      tally: countSales(sales),
    });
    expect(await readIds(bench.ids)).toEqual(
      Float64Array.from(sales, ({ id }) => hashId(id)).sort(),
    );
    expect(readdirSync(bench.folder).filter((name) => !name.startsWith('part'))).toEqual([
      'ids',
      'lines',
    ]);
  });

  test('of nothing is an empty file, also as gzip', async () => {
    for (const gzip of [false, true]) {
      const bench = new Bench();
      const file = await bench.assemble([bench.part('E', [])], { gzip });
      expect(file).toMatchObject({ objects: 0, first: null, last: null });
      const bytes = readFileSync(bench.output);
      expect(file.bytes).toBe(bytes.length);
      expect((gzip ? gunzipSync(bytes) : bytes).toString()).toBe('');
    }
  });

  test('as gzip has the checksum of the file on disk', async () => {
    const bench = new Bench();
    const sales = Array.from({ length: 500 }, (_, i) => sale(`S${i}`, i));
    const file = await bench.assemble([bench.part('E', sales)], { gzip: true });
    const bytes = readFileSync(bench.output);
    expect(file).toMatchObject({ bytes: bytes.length, sha256: sha256(bytes) });
    expect(gunzipSync(bytes).toString()).toBe(linesOf(sales));
  });

  test('has each object byte for byte, without the line breaks between its tokens', async () => {
    const bench = new Bench();
    const odd = '{"id":"A", "createdTime":1767225600000 ,"note":"a\\nb","x":1.50e0}';
    const pretty = '{\r\n  "id": "B",\n  "createdTime": 1767225600001\n}';
    await bench.assemble([bench.part('E', [], `{"elements":[${odd},\n${pretty}\n]}`)]);
    expect(bench.lines()).toBe(`${odd}\n{  "id": "B",  "createdTime": 1767225600001}\n`);
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
          const bench = new Bench();
          const before = hasExisting ? (exports[0] ?? []).toSorted(inOrder) : [];
          const stays = new Map<string, Sale>();
          for (const each of [...before, ...exports.flat()])
            if ((stays.get(each.id)?.modifiedTime ?? -1) <= (each.modifiedTime ?? 0))
              stays.set(each.id, each);
          const expected = [...stays.values()].toSorted(inOrder);
          const file = await bench.assemble(
            exports.map((sales, i) => bench.part(`E${i}`, sales)),
            hasExisting ? { existing: bench.existing(before) } : {},
            // Hashes that are equal only tell that ids may be.
            collide ? { hash: (id) => id.length } : {},
          );
          expect(bench.lines()).toBe(linesOf(expected));
          expect(ordered(file.tally)).toEqual(ordered(countSales(expected)));
          expect(file).toMatchObject({
            objects: expected.length,
            first: expected[0]?.createdTime ?? null,
            last: expected.at(-1)?.createdTime ?? null,
          });
          expect(existsSync(`${bench.output}.tmp`)).toBe(false);
        },
      ),
      { numRuns: 300 },
    );
  });

  test('keeps what is there where the parts bring nothing newer', async () => {
    const bench = new Bench();
    const old = [sale('A', 0), sale('B', 1, { modifiedTime: START + 9 }), sale('C', 2)];
    const fresh = [sale('B', 1, { modifiedTime: START + 8, total: 1 }), sale('C', 2, { total: 2 })];
    for (const gzip of [false, true]) {
      const existing = bench.existing(old, gzip);
      await bench.assemble([bench.part('E', fresh)], { existing });
      expect(bench.lines()).toBe(linesOf([old[0]!, old[1]!, fresh[1]!]));
    }
  });

  test('leaves out excluded ids and what was created at the end of the span', async () => {
    const bench = new Bench();
    const existing = bench.existing([sale('A', 0), sale('B', 1)]);
    const parts = [bench.part('E', [sale('C', 2), sale('D', 3), sale('A', 4)])];
    const file = await bench.assemble(parts, { existing, exclude: ['A'], dropsAt: START + 3 });
    expect(idsOf(bench.lines())).toEqual(['B', 'C']);
    expect(file.tally.objects).toBe(2);
  });

  test('counts what was created outside of what it covers', async () => {
    const bench = new Bench();
    const file = await bench.assemble([bench.part('E', [sale('A', -1), sale('B', 0)])]);
    expect(file.tally).toMatchObject({ objects: 2, outside: 1 });
  });

  test('refuses an id that one export holds twice, in one part or in two', async () => {
    const bench = new Bench();
    const twice = [
      [bench.part('E', [sale('A', 0), sale('A', 0)])],
      [
        bench.part('E', [sale('A', 0)]),
        bench.part('F', [sale('B', 1)]),
        bench.part('E', [sale('A', 2)]),
      ],
    ];
    for (const parts of twice)
      expect((await failureOf(bench.assemble(parts), 'DUPLICATE_ID')).message).toBe(
        'export E holds the id "A" twice',
      );
  });
});

test('one object of 60 MB, between others and out of order', { timeout: 60_000 }, async () => {
  const bench = new Bench();
  const large = sale('L', 5, { note: 'é"'.repeat(12_000_000) });
  const parts = [bench.part('E', [sale('A', 9), large, sale('B', 1)])];
  await bench.assemble(parts, { existing: bench.existing([sale('C', 3)]) });
  expect(idsOf(bench.lines())).toEqual(['B', 'C', 'L', 'A']);
  const expected = linesOf([sale('B', 1), sale('C', 3), large, sale('A', 9)]);
  expect(sha256(readFileSync(bench.output))).toBe(sha256(Buffer.from(expected)));
  const beyond = sale('M', 6, { note: 'x'.repeat(65 * 1024 * 1024) });
  await failureOf(bench.assemble([bench.part('E', [beyond])]), 'BAD_FILE');
});

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
    const bench = new Bench();
    const before = [sale('X', -2), sale('Y', -1)];
    const after = [sale('Z', 5)];
    const assembly = await Assembly.begin(bench.job());
    await assembly.add(bench.part('E', before));
    const expected = expectedFor(content, 2);
    const bad = { ...bench.part('E', [], served), expected };
    for (let i = 0; i < 2; i++)
      expect((await failureOf(assembly.add(bad), 'BAD_FILE')).message).toMatch(message);
    await assembly.add({ ...bench.part('E', good), expected });
    await assembly.add(bench.part('E', after));
    const file = await assembly.finish();
    expect(bench.lines()).toBe(linesOf([...before, ...good, ...after]));
    expect(file.tally).toEqual(countSales([...before, ...good, ...after]));
  });

  test('that is missing', async () => {
    const bench = new Bench();
    const assembly = await Assembly.begin(bench.job());
    const missing = { path: join(bench.folder, 'none'), exportId: 'E', expected: undefined };
    expect((await failureOf(assembly.add(missing), 'BAD_FILE')).message).toBe('it is missing');
    await assembly.abort();
  });

  test('that is too large to be read whole is checked as a stream', async () => {
    const bench = new Bench();
    const note = 'x'.repeat(1_000_000);
    const large = Array.from({ length: 12 }, (_, i) => sale(`L${i}`, i, { note }));
    const text = elements(large);
    const assembly = await Assembly.begin(bench.job());
    const altered = bench.part('E', [], `${text.slice(0, -9)}y${text.slice(-8)}`);
    await failureOf(assembly.add({ ...altered, expected: expectedFor(text, 12) }), 'BAD_FILE');
    await assembly.add({ ...bench.part('E', large), expected: expectedFor(text, 12) });
    await assembly.finish();
    expect(bench.lines()).toBe(linesOf(large));
  });
});

describe('in its thread', () => {
  test('months are assembled one after the other; a failed one leaves nothing', async () => {
    const bench = new Bench();
    const other = new Bench();
    await using assembler = new Assembler();
    const first = await assembler.begin(bench.job());
    const second = assembler.begin(other.job());
    await first.add(bench.part('E', [sale('A', 0), sale('A', 1)]));
    await failureOf(first.finish(), 'DUPLICATE_ID');
    expect(readdirSync(bench.folder).filter((name) => !name.startsWith('part'))).toEqual([]);
    const session = await second;
    await failureOf(session.add(other.part('F', [], '{')), 'BAD_FILE');
    await session.add(other.part('F', [sale('B', 0)]));
    expect(await session.finish()).toMatchObject({ objects: 1 });
    await session.abort();
    expect(idsOf(other.lines())).toEqual(['B']);
  });

  test('an abort ends what is under way, and removes it', async () => {
    const bench = new Bench();
    await using assembler = new Assembler();
    const session = await assembler.begin(bench.job());
    const many = Array.from({ length: 50_000 }, (_, i) => sale(`S${50_000 - i}`, 50_000 - i));
    await session.add(bench.part('E', many));
    const finishing = session.finish();
    const aborting = session.abort();
    await failureOf(finishing, 'INTERRUPTED');
    await aborting;
    expect(readdirSync(bench.folder).filter((name) => !name.startsWith('part'))).toEqual([]);
  });

  test('disposal ends a call that waits', async () => {
    const bench = new Bench();
    const assembler = new Assembler();
    const session = await assembler.begin(bench.job());
    const adding = session.add(bench.part('E', [sale('A', 0)]));
    await Promise.all([failureOf(adding, 'INTERRUPTED'), assembler[Symbol.asyncDispose]()]);
    await failureOf(assembler.begin(bench.job()), 'INTERRUPTED');
  });

  test('a system error keeps its code', async () => {
    const bench = new Bench();
    await using assembler = new Assembler();
    const output = join(bench.folder, 'none', 'lines');
    await expect(assembler.begin(bench.job({ output }))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('an existing file that was altered is named', async () => {
    const bench = new Bench();
    await using assembler = new Assembler();
    const existing = bench.existing([sale('A', 0)]);
    writeFileSync(existing.path, linesOf([sale('A', 0, { total: 7 })]));
    expect((await failureOf(assembler.begin(bench.job({ existing })), 'DIRECTORY')).message).toBe(
      `${existing.path} was altered; delete it and run the pull again`,
    );
    writeFileSync(existing.path, '{');
    await failureOf(assembler.begin(bench.job({ existing })), 'DIRECTORY');
  });

  test('ids of two files are found in both, whatever became of their index', async () => {
    await using assembler = new Assembler();
    const [a, b] = [new Bench(), new Bench()];
    await a.assemble([a.part('E', [sale('A', 0), sale('B', 1, { modifiedTime: 5 })])]);
    await b.assemble([b.part('F', [sale('B', 2, { modifiedTime: 6 }), sale('C', 3)])], {
      gzip: true,
    });
    const indexed = (of: Bench, gzip: boolean) => ({ lines: of.output, ids: of.ids, gzip });
    const shared = () => assembler.shared(indexed(a, false), indexed(b, true));
    const expected = [{ id: 'B', modifiedA: 5, modifiedB: 6 }];
    expect(await shared()).toEqual(expected);
    writeFileSync(a.ids, 'damaged');
    expect(await shared()).toEqual(expected);
    writeFileSync(b.ids, Float64Array.of(2, 1));
    expect(await shared()).toEqual(expected);
  });
});
