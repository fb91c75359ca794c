import { cpSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { OBJECTS_PER_FILE } from '@tillroll/contract';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { settleEdges } from '../src/files/edges.ts';
import { Journal, type DoneRange } from '../src/files/journal.ts';
import { absolute, type Layout, type Place, type TypedRange } from '../src/files/layout.ts';
import { merge } from '../src/files/merge.ts';
import {
  contentOf,
  filesBelow,
  headOf,
  inOrder,
  stored,
  tallyOf,
  temporary,
  UTC,
  type Sale,
} from './output-directory.ts';

const DAY = 86_400_000;
const START = Date.UTC(2026, 0, 1);
const { signal } = new AbortController();

const KINDS = [
  { format: 'jsonl', gzip: false },
  { format: 'jsonl', gzip: true },
  { format: 'json', gzip: false },
  { format: 'json', gzip: true },
] as const;

function days(from: number, to: number): TypedRange {
  return { type: 'ORDERS', startTime: START + from * DAY, endTime: START + to * DAY };
}

async function journalIn(kind: Omit<Layout, 'out'>, out = temporary()): Promise<Journal> {
  const journal = await Journal.open({ out, ...kind }, headOf(kind));
  onTestFinished(() => journal[Symbol.asyncDispose]());
  return journal;
}

async function hold(
  journal: Journal,
  place: Place,
  range: TypedRange,
  sales: readonly Sale[],
): Promise<DoneRange> {
  const done = stored(journal.layout, place, range, sales);
  await journal.rangeDone(done, []);
  return done;
}

/** The obvious way: the newest of each id, later inputs before earlier ones, in their order. */
function merged(inputs: readonly (readonly Sale[])[]): Sale[] {
  const byId = new Map<string, Sale>();
  const modified = (sale: Sale): number => sale.modifiedTime ?? sale.createdTime;
  for (const sale of inputs.flat()) {
    const before = byId.get(sale.id);
    if (!before || modified(sale) >= modified(before)) byId.set(sale.id, sale);
  }
  return [...byId.values()].toSorted(inOrder);
}

const sale: fc.Arbitrary<Sale> = fc.record(
  {
    id: fc.oneof(
      fc.stringMatching(/^[A-D]{1,2}$/),
      fc.constantFrom('é', '😀', '\uffff', '"', '\n', 'a'),
    ),
    createdTime: fc.integer({ min: -1, max: 9 }).map((hours) => START + hours * 3_600_000),
    modifiedTime: fc.integer({ min: 0, max: 3 }).map((hours) => START + hours * 3_600_000),
    currency: fc.constantFrom('USD', 'EUR'),
    total: fc.integer({ min: 0, max: 5000 }),
    note: fc.constantFrom('', 'x', 'line\nbreak,{"elements":[', '😀'.repeat(50)),
  },
  { requiredKeys: ['id', 'createdTime', 'total', 'note'] },
);
/** What one range holds: an id once. */
const sales = fc.uniqueArray(sale, { selector: ({ id }) => id, maxLength: 12 });

describe.each(KINDS)('merging $format, gzip $gzip', (kind) => {
  test('gives what the obvious way gives, and leaves nothing else behind', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(sales, { minLength: 1, maxLength: 3 }), async (inputs) => {
        const journal = await journalIn(kind);
        const { layout } = journal;
        const held: DoneRange[] = [];
        for (const [i, of] of inputs.entries())
          held.push(await hold(journal, i === 0 ? 'final' : 'incoming', days(i, i + 1), of));
        const into = days(0, inputs.length);
        const { done, moves } = await merge({
          journal,
          inputs: held.map((range) => ({ range })),
          into,
          zone: UTC,
          signal,
        });
        // Nothing has happened yet to what was there.
        for (const [i, range] of held.entries())
          expect(contentOf(layout, range)).toEqual(inputs[i]);
        await journal.rangeDone(done, moves, held);

        const expected = merged(inputs);
        expect(contentOf(layout, done)).toEqual(expected);
        expect(done).toMatchObject({ ...into, place: 'final', tally: tallyOf(into, expected) });
        expect(done.exports).toEqual([...new Set(held.flatMap(({ exports }) => exports))]);
        expect(journal.done('final')).toEqual([done]);
        expect(journal.done('incoming')).toEqual([]);
        expect(filesBelow(layout.out)).toEqual(done.files.map(({ path }) => path).toSorted());
      }),
      { numRuns: 15 },
    );
  });

  test('cuts files as the service does, and copies objects byte for byte', async () => {
    const journal = await journalIn(kind);
    const count = 2 * OBJECTS_PER_FILE + 500;
    const all = Array.from({ length: count }, (_, i): Sale => ({
      id: `ID${String(i).padStart(5, '0')}`,
      createdTime: START + i,
      total: i,
      note: i === 1234 ? 'é'.repeat(1_200_000) : 'n'.repeat(i % 50),
    }));
    // Runs of neighbours, single objects, and one that is larger than what is copied at a time.
    const odd = all.filter((_, i) => (i >> (i % 700 > 350 ? 0 : 5)) % 2 === 1);
    const even = all.filter((one) => !odd.includes(one));
    const held = [
      await hold(journal, 'final', days(0, 1), odd),
      await hold(journal, 'incoming', days(1, 2), even),
    ];
    const { done, moves } = await merge({
      journal,
      inputs: held.map((range) => ({ range })),
      into: days(0, 2),
      zone: UTC,
      signal,
    });
    await journal.rangeDone(done, moves, held);
    expect(done.files.map(({ objects }) => objects)).toEqual(
      kind.format === 'json' ? [1000, 1000, 500] : [2500],
    );
    expect(contentOf(journal.layout, done)).toEqual(all);
  });

  test('of what a kill left of another one does no harm to a range that is complete', async () => {
    const journal = await journalIn(kind);
    const { layout } = journal;
    const range = days(0, 1);
    const [a, b, c] = ['A', 'B', 'C'].map((id): Sale => ({ id, createdTime: START, note: 'x' }));
    const first = await hold(journal, 'final', range, [a as Sale]);
    const second = await hold(journal, 'incoming', days(1, 2), [b as Sale]);
    const third = await hold(journal, 'incoming', days(2, 3), [c as Sale]);
    const into = { into: range, zone: UTC, signal, journal };
    const made = await merge({ ...into, inputs: [{ range: first }, { range: second }] });
    await journal.rangeDone(made.done, made.moves, [first, second]);
    // The next one into the same range comes as far as all of its files, but is not committed.
    await merge({ ...into, inputs: [{ range: made.done }, { range: third }] });
    const killed = temporary();
    cpSync(layout.out, killed, { recursive: true });
    const again = await journalIn(kind, killed);
    expect(again.done('final')).toEqual([made.done]);
    expect(contentOf(again.layout, made.done)).toEqual([a, b]);
    expect(contentOf(again.layout, third)).toEqual([c]);
  });

  test('is ended by the signal, and changes nothing then', async () => {
    const journal = await journalIn(kind);
    const held = await hold(journal, 'final', days(0, 1), [{ id: 'A', createdTime: START }]);
    const merging = merge({
      journal,
      inputs: [{ range: held }],
      into: days(0, 1),
      zone: UTC,
      signal: AbortSignal.abort(),
    });
    await expect(merging).rejects.toMatchObject({ code: 'INTERRUPTED' });
    expect(contentOf(journal.layout, held)).toHaveLength(1);
  });

  test('of nothing is an empty range', async () => {
    const journal = await journalIn(kind);
    const held = await hold(journal, 'final', days(0, 1), []);
    const { done, moves } = await merge({
      journal,
      inputs: [{ range: held }],
      into: days(0, 1),
      zone: UTC,
      signal,
    });
    await journal.rangeDone(done, moves, [held]);
    expect(contentOf(journal.layout, done)).toEqual([]);
    expect(done.tally.objects).toBe(0);
    expect(filesBelow(journal.layout.out)).toEqual(done.files.map(({ path }) => path));
  });
});

/** Three neighbouring ranges of a far side whose bounds are inclusive. */
const RANGES = [days(0, 1), days(1, 2), days(2, 3)];
const edgy: fc.Arbitrary<Sale[]> = fc.uniqueArray(
  fc.record({
    id: fc.stringMatching(/^[A-Z]{2}$/),
    createdTime: fc.oneof(
      fc.integer({ min: 0, max: 3 }).map((day) => START + day * DAY),
      fc.integer({ min: 0, max: 3 * DAY }).map((ms) => START + ms),
    ),
    total: fc.nat({ max: 100 }),
  }),
  { selector: ({ id }) => id, maxLength: 20 },
);

describe.each(KINDS)('edges of $format, gzip $gzip', (kind) => {
  /** What the later of two ranges gives is newer, where an object was changed in between. */
  function given(all: readonly Sale[], { startTime, endTime }: TypedRange): Sale[] {
    return all
      .filter(({ createdTime }) => createdTime >= startTime && createdTime <= endTime)
      .map((one) => ({
        ...one,
        modifiedTime: one.createdTime === startTime ? one.createdTime + 5 : one.createdTime,
      }))
      .toSorted(inOrder);
  }

  function expectSettled(journal: Journal, all: readonly Sale[]): void {
    const ranges = journal.done('final');
    expect(
      ranges.map(({ startTime, endTime }) => ({ type: 'ORDERS', startTime, endTime })),
    ).toEqual(RANGES);
    for (const done of ranges) {
      const expected = given(all, done).filter(({ createdTime }) => createdTime < done.endTime);
      expect(contentOf(journal.layout, done)).toEqual(expected);
      expect(done.tally).toEqual(tallyOf(done, expected));
      // An export that only lent its edge is not named.
      expect(done.exports).toEqual([`E${done.startTime}`]);
    }
    const files = ranges.flatMap(({ files: of }) => of.map(({ path }) => path));
    expect(filesBelow(journal.layout.out)).toEqual(files.toSorted());
  }

  test('are kept once, in the range that begins there', async () => {
    await fc.assert(
      fc.asyncProperty(edgy, async (all) => {
        const journal = await journalIn(kind);
        for (const range of RANGES) await hold(journal, 'final', range, given(all, range));
        const onEdges = all.filter(({ createdTime }) =>
          RANGES.some(({ endTime }) => endTime === createdTime),
        ).length;
        expect(await settleEdges(journal, 'ORDERS', UTC, signal)).toBe(onEdges);
        expectSettled(journal, all);
        expect(await settleEdges(journal, 'ORDERS', UTC, signal)).toBe(0);
      }),
      { numRuns: 8 },
    );
  });

  test('are kept once also when it is killed between any two steps', async () => {
    const all = [0, 1, 2, 3]
      .flatMap((day): Sale[] => [
        { id: `E${day}`, createdTime: START + day * DAY },
        { id: `I${day}`, createdTime: START + day * DAY + 7 },
      ])
      .filter(({ createdTime }) => createdTime <= START + 3 * DAY);
    const untouched = await journalIn(kind);
    for (const range of RANGES) await hold(untouched, 'final', range, given(all, range));
    let steps = 0;
    for (let allowed = 0, isKilled = true; isKilled; allowed++) {
      const out = temporary();
      cpSync(untouched.layout.out, out, { recursive: true });
      const dying = await journalIn(kind, out);
      const commit = dying.rangeDone.bind(dying);
      let left = allowed;
      dying.rangeDone = async (...args) => {
        if (left-- === 0) throw new Error('killed');
        await commit(...args);
      };
      isKilled = await settleEdges(dying, 'ORDERS', UTC, signal).then(
        () => false,
        () => true,
      );
      steps++;
      // What lies in the scratch folder lies there as after a kill.
      const again = await journalIn(kind, out);
      await settleEdges(again, 'ORDERS', UTC, signal);
      expectSettledBesidesScratch(again, all);
    }
    expect(steps).toBe(6);
  });

  function expectSettledBesidesScratch(journal: Journal, all: readonly Sale[]): void {
    const scratch = absolute(journal.layout, '.tillroll/merge');
    if (existsSync(scratch)) {
      const left = readdirSync(scratch, { recursive: true, withFileTypes: true }).filter((entry) =>
        entry.isFile(),
      );
      expect(left).toEqual([]);
    }
    expectSettled(journal, all);
  }
});

test('a lines file that is no line anywhere is refused, not merged', async () => {
  const journal = await journalIn({ format: 'jsonl', gzip: false });
  const held = await hold(journal, 'final', days(0, 1), [{ id: 'A', createdTime: START }]);
  const path = absolute(journal.layout, held.files[0]?.path ?? '');
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, '{"id":"A"');
  const merging = merge({
    journal,
    inputs: [{ range: held }],
    into: days(0, 1),
    zone: UTC,
    signal,
  });
  await expect(merging).rejects.toMatchObject({ code: 'BAD_FILE' });
});
