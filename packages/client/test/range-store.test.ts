import { existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Segment, StoredFile } from '../src/files/journal.ts';
import { absolute, isServed, type Layout, type TypedRange } from '../src/files/layout.ts';
import { LinesStore } from '../src/files/lines-store.ts';
import type { RangeStore } from '../src/files/range-store.ts';
import { ServedStore } from '../src/files/served-store.ts';
import { takeFile } from '../src/files/take-file.ts';
import { ObjectReader } from '../src/json/object-reader.ts';
import { blanks, objectText } from './json-texts.ts';
import { sha256, temporary, UTC } from './output-directory.ts';

const RANGE: TypedRange = { type: 'ORDERS', startTime: 0, endTime: 1_000_000 };
const PATH = 'orders/a';
const KINDS = [
  { format: 'jsonl', gzip: false },
  { format: 'jsonl', gzip: true },
  { format: 'json', gzip: false },
  { format: 'json', gzip: true },
] as const;

interface Opened {
  store: RangeStore;
  kept: Segment[];
  /** Of the objects that were kept. */
  ids: string[];
}

async function opened(layout: Layout, segments: readonly Segment[]): Promise<Opened> {
  const ids: string[] = [];
  const readerOf = (): ObjectReader =>
    new ObjectReader(isServed(layout) ? 'elements' : 'lines', (_buffer, _start, _end, { id }) =>
      ids.push(id),
    );
  const { store, kept } = isServed(layout)
    ? await ServedStore.open(layout, PATH, segments, readerOf)
    : await LinesStore.open(layout, PATH, segments, readerOf());
  return { store, kept, ids };
}

/** A file as served, in pieces of other sizes each time. */
async function* served(
  text: string,
  sizes: readonly number[],
): AsyncGenerator<Uint8Array, void, void> {
  const bytes = Buffer.from(text);
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] ?? 1;
    for (let turns = 0; turns < size % 3; turns++) await turn();
    yield Buffer.from(bytes.subarray(at, at + size));
    at += size;
  }
}

/** Takes a served file as a download does; `failures` times it breaks off at first. */
async function take(
  store: RangeStore,
  log: Segment[],
  position: number,
  text: string,
  sizes: readonly number[],
  failures = 0,
): Promise<void> {
  for (let left = failures; ; left--) {
    const writer = store.begin(position);
    try {
      const part = left > 0 ? text.slice(0, text.trimEnd().length - left) : text;
      const {
        ids: _ids,
        objects: _objects,
        ...taken
      } = await takeFile(served(part, sizes), RANGE, UTC, writer);
      await writer.commit(async (written) => {
        await turn();
        log.push({ exportId: 'E', position, key: `k${position}`, ...taken, ...written });
      }, taken.tally);
      return;
    } catch (error) {
      await writer.abandon();
      if (left === 0) throw error;
    }
  }
}

function bytesOf(layout: Layout, store: RangeStore, files: readonly StoredFile[]): Buffer[] {
  return files.map((file) => {
    const bytes = readFileSync(absolute(layout, store.partOf(file.path)));
    expect({ bytes: bytes.length, sha256: sha256(bytes) }).toEqual({
      bytes: file.bytes,
      sha256: file.sha256,
    });
    return bytes;
  });
}

const object = fc
  .tuple(objectText, fc.nat({ max: 2_000_000 }), fc.constantFrom(0, 0, 0, 5_000, 70_000))
  .map(([text, time, note]) => {
    const more = text.slice(1, -1);
    return {
      text: `{${more}${more.trim() === '' ? '' : ','}"note":"${'n'.repeat(note)}","id":"ID","createdTime":${time}}`,
      time,
    };
  });
const files = fc
  .array(fc.tuple(fc.array(object, { maxLength: 5 }), blanks, blanks), {
    minLength: 1,
    maxLength: 5,
  })
  .map((all) =>
    all.map(([objects, a, b], position) => {
      // Ids are told apart; the rest is as it was.
      const texts = objects.map(({ text }, i) =>
        text.replace(
          /"id":"ID","createdTime":(\d+)\}$/,
          `"id":"ID${position}-${i}","createdTime":$1}`,
        ),
      );
      return {
        text: `{"elements":[${a}${texts.join(`,${b}`)}]}${a}`,
        lines: texts.map((text) => `${text.replaceAll(/[\r\n]/g, '')}\n`).join(''),
        ids: texts.map((_, i) => `ID${position}-${i}`),
        times: objects.map(({ time }) => time),
      };
    }),
  );
const sizes = fc.array(fc.integer({ min: 1, max: 90_000 }), { minLength: 1, maxLength: 5 });
/** The order in which the downloads begin, how often each fails. */
const way = fc.record({
  sizes: fc.array(sizes, { minLength: 5, maxLength: 5 }),
  failures: fc.array(fc.constantFrom(0, 0, 1, 2), { minLength: 5, maxLength: 5 }),
  shuffle: fc.array(fc.nat(), { minLength: 5, maxLength: 5 }),
});

describe.each(KINDS)('a store of $format, gzip $gzip', (kind) => {
  /** Together, each with its own pace; a lines store must hold any of them back. */
  async function takeAll(
    store: RangeStore,
    log: Segment[],
    all: readonly { text: string }[],
    positions: readonly number[],
    how: { sizes: number[][]; failures: number[]; shuffle: number[] },
  ): Promise<void> {
    const order = positions.toSorted((a, b) => (how.shuffle[a] ?? 0) - (how.shuffle[b] ?? 0));
    await Promise.all(
      order.map((i) =>
        take(store, log, i, all[i]?.text ?? '', how.sizes[i] ?? [1], how.failures[i]),
      ),
    );
  }

  test('holds the files in their order, whatever the order and the pieces in which they come, and after faults', async () => {
    await fc.assert(
      fc.asyncProperty(files, way, way, async (all, one, other) => {
        const results: Buffer[][] = [];
        for (const how of [one, other]) {
          const layout: Layout = { out: temporary(), ...kind };
          const { store } = await opened(layout, []);
          const log: Segment[] = [];
          await takeAll(
            store,
            log,
            all,
            all.map((_, i) => i),
            how,
          );
          const made = await store.finish();
          await store.close();
          const bytes = bytesOf(layout, store, made.files);
          const texts = bytes.map((part) => (kind.gzip ? gunzipSync(part) : part).toString('utf8'));
          expect(texts).toEqual(
            isServed(layout)
              ? all.map(({ text }) => text)
              : [all.map(({ lines }) => lines).join('')],
          );
          const times = isServed(layout)
            ? all.map((file) => file.times)
            : [all.flatMap((file) => file.times)];
          expect(made.files.map(({ objects, first, last }) => [objects, first, last])).toEqual(
            times.map((of) => [
              of.length,
              of.length > 0 ? Math.min(...of) : null,
              of.length > 0 ? Math.max(...of) : null,
            ]),
          );
          results.push(bytes);
          rmSync(layout.out, { recursive: true });
        }
        // Lines are the same bytes in every run, compressed or not.
        if (!isServed(kind)) expect(results[0]).toEqual(results[1]);
      }),
      { numRuns: 20 },
    );
  });

  test('goes on behind what is safely there, and trusts nothing else', async () => {
    await fc.assert(
      fc.asyncProperty(
        files,
        way,
        fc.nat(),
        fc.constantFrom('kept', 'torn', 'longer', 'altered', 'gone', 'forgotten'),
        async (all, how, after, harm) => {
          const layout: Layout = { out: temporary(), ...kind };
          const first = await opened(layout, []);
          const log: Segment[] = [];
          const done = after % (all.length + 1);
          await takeAll(first.store, log, all, all.map((_, i) => i).slice(0, done), how);
          await first.store.close();
          // What a kill, or a loss of power, leaves of the last file.
          const last = isServed(layout) ? log.at(-1)?.file?.path : `${PATH}.part`;
          const path = absolute(layout, last ?? 'nothing');
          if (existsSync(path)) {
            const bytes = readFileSync(path);
            if (harm === 'torn') truncateSync(path, bytes.length >> 1);
            else if (harm === 'longer' && !isServed(layout))
              writeFileSync(path, Buffer.concat([bytes, Buffer.from('{"id":"half')]));
            else if (harm === 'altered' && bytes.length > 0) {
              bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
              writeFileSync(path, bytes);
            } else if (harm === 'gone') truncateSync(path, 0);
          }
          // A line that never came to the journal.
          if (harm === 'forgotten') log.splice(log.length >> 1, 1);
          const second = await opened(layout, log);
          const kept = second.kept.map(({ position }) => position);
          if (harm === 'kept' || harm === 'longer')
            expect(new Set(kept)).toEqual(new Set(log.map(({ position }) => position)));
          // The objects of what was kept were read again: their ids are known.
          expect(second.ids.toSorted()).toEqual(kept.flatMap((i) => all[i]?.ids ?? []).toSorted());
          const again = second.kept.slice();
          await takeAll(
            second.store,
            again,
            all,
            all.map((_, i) => i).filter((i) => !kept.includes(i)),
            how,
          );
          const made = await second.store.finish();
          await second.store.close();
          const texts = bytesOf(layout, second.store, made.files).map((part) =>
            (kind.gzip ? gunzipSync(part) : part).toString('utf8'),
          );
          expect(texts).toEqual(
            isServed(layout)
              ? all.map(({ text }) => text)
              : [all.map(({ lines }) => lines).join('')],
          );
        },
      ),
      { numRuns: 20 },
    );
  });

  test('of an export that holds nothing is empty', async () => {
    const layout: Layout = { out: temporary(), ...kind };
    const { store } = await opened(layout, []);
    const made = await store.finish();
    expect(made.files.map(({ objects, first, last }) => [objects, first, last])).toEqual(
      isServed(layout) ? [] : [[0, null, null]],
    );
    for (const bytes of bytesOf(layout, store, made.files))
      expect((kind.gzip ? gunzipSync(bytes) : bytes).length).toBe(0);
    await store.close();
  });
});

test('a lines store that is closed lets nobody wait for a turn that never comes', async () => {
  const { store } = await opened({ out: temporary(), format: 'jsonl', gzip: false }, []);
  const text = '{"elements":[{"id":"A","createdTime":1}]}';
  const waiting = expect(take(store, [], 1, text, [100])).rejects.toMatchObject({
    code: 'INTERRUPTED',
  });
  await turn();
  await turn();
  await store.close();
  await waiting;
  await expect(take(store, [], 1, text, [100])).rejects.toMatchObject({ code: 'INTERRUPTED' });
});

test('a large file is the same compressed lines in every run, cut at the same objects', async () => {
  // Over 4 MiB: several gzip members.
  const texts = Array.from(
    { length: 9000 },
    (_, i) =>
      `{"id":"ID${i}","createdTime":${i},${i % 7 === 0 ? '\n' : ''}"note":"${'abc'.repeat(i % 400)}"}`,
  );
  const text = `{"elements":[${texts.join(',')}]}`;
  const results: Buffer[] = [];
  for (const [size, failures] of [
    [100_000, 0],
    [333_333, 2],
    [10_000_000, 0],
  ] as const) {
    const layout: Layout = { out: temporary(), format: 'jsonl', gzip: true };
    const { store } = await opened(layout, []);
    // The second one has to wait for its turn with more than it may hold.
    const log: Segment[] = [];
    await Promise.all([
      take(store, log, 1, text.replaceAll('"ID', '"JD'), [size], failures),
      take(store, log, 0, text, [size], failures),
    ]);
    const made = await store.finish();
    results.push(...bytesOf(layout, store, made.files));
  }
  expect(results[1]?.equals(results[0] as Buffer)).toBe(true);
  expect(results[2]?.equals(results[0] as Buffer)).toBe(true);
  const lines = gunzipSync(results[0] as Buffer)
    .toString('utf8')
    .split('\n');
  expect(lines.length).toBe(2 * texts.length + 1);
});
