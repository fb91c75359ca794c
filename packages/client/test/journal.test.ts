import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Journal, prepareDirectory, type DoneRange, type Segment } from '../src/files/journal.ts';
import {
  absolute,
  JOURNAL,
  type Layout,
  type Place,
  type TypedRange,
} from '../src/files/layout.ts';
import {
  contentOf,
  filesBelow,
  headOf,
  stored,
  tallyOf,
  temporary,
  type Sale,
} from './output-directory.ts';

const DAY = 86_400_000;
const KIND = { format: 'jsonl', gzip: false } as const;
const HEAD = headOf(KIND);

function days(from: number, to: number): TypedRange {
  return { type: 'ORDERS', startTime: from * DAY, endTime: to * DAY };
}

function layoutOf(out: string): Layout {
  return { out, ...KIND };
}

async function opened(out: string): Promise<Journal> {
  const journal = await Journal.open(layoutOf(out), HEAD);
  onTestFinished(() => journal[Symbol.asyncDispose]());
  return journal;
}

function textOf(out: string): string {
  return readFileSync(absolute({ out }, JOURNAL), 'utf8');
}

/** All that a journal tells. */
function stateOf(journal: Journal): unknown {
  // As it is now: what the journal hands out may change with it.
  return structuredClone({
    final: journal.done('final'),
    incoming: journal.done('incoming'),
    pending: journal.begun.map((range) => [range, journal.pending(range)]),
    wanted: [journal.wanted('ORDERS'), journal.wanted('PAYMENTS')],
    refresh: [journal.refresh('ORDERS'), journal.refresh('PAYMENTS')],
    converted: journal.converted,
  });
}

function sale(id: string, day = 0): Sale {
  return { id, createdTime: day * DAY, total: 5 };
}

/** Puts the files of a range where they lie before it is committed. */
function prepared(
  layout: Layout,
  place: Place,
  range: TypedRange,
  sales: Sale[],
  name: string,
): { done: DoneRange; moves: [string, string][] } {
  const aside = `.tillroll/made/${name}`;
  const done = stored({ ...layout, out: absolute(layout, aside) }, place, range, sales);
  return { done, moves: done.files.map(({ path }) => [`${aside}/${path}`, path]) };
}

function segment(range: TypedRange, position: number): Segment {
  return {
    exportId: 'EXPORT1',
    position,
    key: `https://files.example/ä/${position}`,
    firstKey: [0, 'A'],
    lastKey: [1, 'é"\n'],
    isAscending: true,
    tally: tallyOf(range, [sale('A')]),
    end: 10 * (position + 1),
    digest: 'd'.repeat(64),
  };
}

const [A, B, AB, C] = [days(0, 1), days(1, 2), days(0, 2), days(2, 3)];

/** A life of a directory; each step may first put files there, which a kill then leaves. */
const LIFE: readonly ((layout: Layout) => (journal: Journal) => Promise<void>)[] = [
  () => (journal) => journal.setWanted('ORDERS', A.startTime, C.endTime),
  () => (journal) => journal.setRefresh('ORDERS', B.startTime),
  () => (journal) => journal.exportCreated(A, 'EXPORT1'),
  () => (journal) => journal.segmentDone(A, segment(A, 0)),
  () => (journal) => journal.segmentDone(A, segment(A, 1)),
  (layout) => {
    const { done, moves } = prepared(layout, 'final', A, [sale('A'), sale('B')], 'a');
    return (journal) => journal.rangeDone(done, moves);
  },
  () => (journal) => journal.exportCreated(C, 'EXPORT3'),
  () => (journal) => journal.segmentDone(C, segment(C, 0)),
  (layout) => {
    const { done, moves } = prepared(layout, 'incoming', B, [sale('C', 1)], 'b');
    return (journal) => journal.rangeDone(done, moves);
  },
  (layout) => {
    const { done, moves } = prepared(
      layout,
      'final',
      AB,
      [sale('A'), sale('B'), sale('C', 1)],
      'ab',
    );
    return async (journal) => {
      const replaced = [...journal.done('final'), ...journal.done('incoming')];
      await journal.rangeDone(done, moves, replaced);
    };
  },
  // Again into the same range, as the edges of a range are settled: the old file has the new one's name.
  (layout) => {
    const { done, moves } = prepared(layout, 'final', AB, [sale('A'), sale('C', 1)], 'ab2');
    return (journal) => journal.rangeDone(done, moves, journal.done('final'));
  },
  () => (journal) => journal.restart(C),
  (layout) => {
    const { done, moves } = prepared(layout, 'incoming', C, [sale('D', 2)], 'c');
    return (journal) => journal.rangeDone(done, moves);
  },
  () => (journal) => journal.drop(journal.get('incoming', C) as DoneRange),
  (layout) => {
    const { done, moves } = prepared(layout, 'incoming', C, [sale('E', 2)], 'c2');
    return (journal) => journal.rangeDone(done, moves);
  },
  () => (journal) =>
    journal.setConverted({
      basis: 'all of it',
      files: [
        {
          table: 'orders',
          path: 'orders.csv',
          objects: 2,
          bytes: 9,
          sha256: 'e'.repeat(64),
          first: null,
          last: null,
        },
      ],
    }),
  () => (journal) => journal.setRefresh('ORDERS', null),
];

/** Every file of every range is there, and is what the journal says; nothing else is seen. */
function expectSound(journal: Journal): void {
  const done = [...journal.done('final'), ...journal.done('incoming')];
  for (const range of done) contentOf(journal.layout, range);
  const seen = filesBelow(journal.layout.out).filter((path) => !path.startsWith('.tillroll/made/'));
  expect(seen).toEqual(done.flatMap(({ files }) => files.map(({ path }) => path)).toSorted());
}

describe('the journal', () => {
  test('cut at any byte tells the state before the line that was cut', async () => {
    const out = temporary();
    const journal = await opened(out);
    const states = [JSON.stringify(stateOf(journal))];
    const ends = [textOf(out).length];
    for (const step of LIFE) {
      await step(journal.layout)(journal);
      states.push(JSON.stringify(stateOf(journal)));
      ends.push(Buffer.byteLength(textOf(out)));
    }
    expectSound(journal);
    expect(journal.done('final').map(({ startTime, endTime }) => [startTime, endTime])).toEqual([
      [AB.startTime, AB.endTime],
    ]);
    // Whatever was begun is complete, or was given up.
    expect(journal.begun).toEqual([]);
    const bytes = readFileSync(absolute({ out }, JOURNAL));
    const other = temporary();
    mkdirSync(join(other, '.tillroll'));
    for (let cut = 0; cut <= bytes.length; cut++) {
      writeFileSync(absolute({ out: other }, JOURNAL), bytes.subarray(0, cut));
      // A line counts when all of it is there; whether its end is does not matter.
      const complete = ends.findLastIndex((end) => end - 1 <= cut);
      const read = await Journal.read(layoutOf(other), HEAD);
      if (JSON.stringify(stateOf(read)) !== states[Math.max(0, complete)])
        expect(JSON.stringify(stateOf(read)), `cut at ${cut}`).toBe(states[Math.max(0, complete)]);
      if (cut < 1000) expect(await Journal.head(other)).toEqual(complete >= 0 ? HEAD : undefined);
    }
  });

  test('is gone on with after a kill before, within and behind every line, and keeps its promises', async () => {
    const out = temporary();
    const journal = await opened(out);
    for (const [i, step] of LIFE.entries()) {
      const layout = journal.layout;
      const act = step(layout);
      const [before, textBefore] = [stateOf(journal), textOf(out)];
      const killed = temporary();
      cpSync(out, killed, { recursive: true });
      await act(journal);
      const line = textOf(out).slice(textBefore.length);
      for (const cut of [0, line.length >> 1, line.length - 1, line.length]) {
        const again = temporary();
        // As the files were when the line was written: nothing of what it promises is done yet.
        cpSync(killed, again, { recursive: true });
        appendFileSync(absolute({ out: again }, JOURNAL), line.slice(0, cut));
        const resumed = await opened(again);
        expect(stateOf(resumed), `step ${i}, cut at ${cut}`).toEqual(
          cut < line.length - 1 ? before : stateOf(journal),
        );
        expectSound(resumed);
        // It goes on: the rest of its life is the same.
        if (cut >= line.length - 1) expect(filesBelow(again)).toEqual(filesBelow(out));
        // And is the same when it is opened once more, now that it is as short as can be.
        expect(stateOf(await opened(again))).toEqual(stateOf(resumed));
      }
    }
  });

  test('keeps the promises of half a commit: some files are moved already', async () => {
    const out = temporary();
    const layout = layoutOf(out);
    const first = await opened(out);
    const old = stored(layout, 'final', A, [sale('old')]);
    await first.rangeDone(old, []);
    const made = [0, 1, 2].map((i) =>
      prepared(layout, 'final', days(10 + i, 11 + i), [sale(`N${i}`)], `n${i}`),
    );
    const all: DoneRange = {
      ...AB,
      place: 'final',
      exports: [],
      tally: tallyOf(AB, []),
      files: made.flatMap(({ done }) => done.files),
    };
    const moves = made.flatMap((one) => one.moves);
    appendFileSync(
      absolute(layout, JOURNAL),
      `${JSON.stringify({ is: 'done', range: all, moves, replaces: [old] })}\n`,
    );
    for (let moved = 0; moved <= moves.length; moved++) {
      const again = temporary();
      cpSync(out, again, { recursive: true });
      for (const [part, final] of moves.slice(0, moved)) {
        mkdirSync(dirname(join(again, final)), { recursive: true });
        renameSync(join(again, part), join(again, final));
      }
      const resumed = await opened(again);
      expectSound(resumed);
      expect(resumed.done('final')).toEqual([all]);
    }
  });

  test('keeps no promise twice: what an old line moved or removed is not touched by opening', async () => {
    const out = temporary();
    const layout = layoutOf(out);
    const journal = await opened(out);
    const { done, moves } = prepared(layout, 'final', A, [sale('A')], 'a');
    await journal.rangeDone(done, moves);
    await journal.rangeDone(stored(layout, 'final', B, [sale('B', 1)]), []);
    // Something new under the name that the first commit moved away from.
    const [part] = moves[0] as [string, string];
    writeFileSync(absolute(layout, part), 'half of something else');
    expectSound(await opened(out));
    expect(existsSync(absolute(layout, part))).toBe(true);
  });

  test('has one segment for each file, in its place', async () => {
    const journal = await opened(temporary());
    await journal.exportCreated(A, 'EXPORT1');
    for (const position of [0, 1, 2, 1])
      await journal.segmentDone(A, { ...segment(A, position), end: position });
    await journal.segmentDone(A, { ...segment(A, 0), end: 77 });
    expect(journal.pending(A).segments.map(({ position, end }) => [position, end])).toEqual([
      [0, 77],
      [1, 1],
      [2, 2],
    ]);
    // Another export begins from nothing.
    await journal.exportCreated(A, 'EXPORT2');
    expect(journal.pending(A)).toEqual({ exportId: 'EXPORT2', segments: [] });
    expect(journal.pending(B)).toEqual({ exportId: undefined, segments: [] });
  });

  test('gets shorter when it is opened', async () => {
    const out = temporary();
    const journal = await opened(out);
    for (let i = 0; i < 50; i++) await journal.setWanted('ORDERS', 0, i + 1);
    const before = textOf(out).length;
    const again = await opened(out);
    expect(textOf(out).length).toBeLessThan(before / 10);
    expect(again.wanted('ORDERS')).toEqual({ startTime: 0, endTime: 50 });
  });

  test('writes nothing behind a line that it could not write, or whose promise it could not keep', async () => {
    const out = temporary();
    const journal = await opened(out);
    const { done, moves } = prepared(journal.layout, 'final', A, [sale('A')], 'a');
    // A file is where the folder should be.
    writeFileSync(join(out, 'orders-in-the-way'), '');
    const blocked = moves.map(([part]): [string, string] => [part, 'orders-in-the-way/x.jsonl']);
    await expect(journal.rangeDone(done, blocked)).rejects.toMatchObject({
      code: expect.stringMatching(/ENOTDIR|EEXIST/) as unknown,
    });
    const text = textOf(out);
    await expect(journal.setWanted('ORDERS', 0, 1)).rejects.toThrow();
    expect(textOf(out)).toBe(text);
  });

  test('of a full disk is gone on with: half a line is the last', () => {
    const out = temporary();
    const program = `
      const { Journal } = await import(${JSON.stringify(new URL('../src/files/journal.ts', import.meta.url).href)});
      const journal = await Journal.open(${JSON.stringify(layoutOf(out))}, ${JSON.stringify(HEAD)});
      const range = { type: 'ORDERS', startTime: 0, endTime: 1 };
      await journal.exportCreated(range, 'EXPORT');
      let failed = 0;
      for (const length of [900, 3000, 10, 20]) await journal.exportCreated(range, 'x'.repeat(length)).catch(() => failed++);
      console.log(failed);`;
    // Files may grow to 2 blocks of 1024 bytes.
    const said = execFileSync(
      'bash',
      ['-c', 'ulimit -f 2; exec "$0" --input-type=module -e "$1"', process.execPath, program],
      { encoding: 'utf8' },
    );
    expect(said.trim()).toBe('3');
    const lines = textOf(out).split('\n');
    expect(() => JSON.parse(lines.at(-1) ?? '') as unknown).toThrow();
    for (const line of lines.slice(0, -1)) expect(() => JSON.parse(line) as unknown).not.toThrow();
  });

  test('of another version is refused', async () => {
    const out = temporary();
    mkdirSync(join(out, '.tillroll'));
    writeFileSync(absolute({ out }, JOURNAL), '{"is":"directory","version":99}\n');
    await expect(Journal.head(out)).rejects.toMatchObject({ code: 'DIRECTORY' });
    expect(await Journal.head(join(out, 'nowhere'))).toBeUndefined();
  });
});

describe('a directory', () => {
  test('must be new, empty or known', async () => {
    const out = temporary();
    await prepareDirectory(join(out, 'deep', 'new'), false);
    expect(existsSync(join(out, 'deep', 'new', '.tillroll'))).toBe(true);
    await prepareDirectory(join(out, 'deep', 'new'), false);
    writeFileSync(join(out, 'photo.jpg'), '');
    await expect(prepareDirectory(out, false)).rejects.toMatchObject({
      code: 'DIRECTORY',
      message: `${out} holds other things: deep, photo.jpg`,
    });
    await prepareDirectory(out, true);
    await expect(prepareDirectory(join(out, 'photo.jpg'), false)).rejects.toThrow();
  });
});
