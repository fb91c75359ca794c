import { MAX_TIME_MS, OBJECTS_PER_FILE } from '@tillroll/contract';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ExportError } from '../src/errors.ts';
import type { Members } from '../src/json/members.ts';
import { MAX_OBJECT_BYTES, ObjectReader, type Layout } from '../src/json/object-reader.ts';
import { blanks, damage, damaged, judged, membersOf, objectText } from './json-texts.ts';

/** The reader looks at what it has got when it has got so much. */
const PASS = 64 * 1024;

interface Found {
  text: string;
  members: Members;
}

function* pieces(bytes: Buffer, sizes: readonly number[]): Generator<Buffer, void, void> {
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[Math.min(turn, sizes.length - 1)] ?? 1;
    // Each in memory of its own: the reader keeps it.
    yield Buffer.from(bytes.subarray(at, at + size));
    at += size;
  }
}

/** Reads all of it; also checks that every object is where the reader says. */
function read(
  layout: Layout,
  text: string | Buffer,
  sizes: readonly number[] = [Infinity],
): Found[] {
  const bytes = Buffer.from(text as string);
  const found: Found[] = [];
  const reader = new ObjectReader(layout, (buffer, start, end, members) => {
    const at = reader.base + start;
    if (!bytes.subarray(at, reader.base + end).equals(buffer.subarray(start, end)))
      throw new Error(`object ${found.length} is not at byte ${at}`);
    found.push({ text: buffer.toString('utf8', start, end), members: { ...members } });
  });
  for (const piece of pieces(bytes, sizes)) reader.push(piece);
  reader.end();
  expect(reader.objects).toBe(found.length);
  return found;
}

function refusal(
  layout: Layout,
  text: string | Buffer,
  sizes?: readonly number[],
): string | undefined {
  try {
    read(layout, text, sizes);
    return undefined;
  } catch (error) {
    if (error instanceof ExportError && error.code === 'BAD_FILE') return error.message;
    throw error;
  }
}

/** An object that may stand in an export; what it holds besides is arbitrary. */
const exported = fc
  .tuple(objectText, fc.nat(), fc.integer({ min: 0, max: 2e12 }))
  .map(([text, number, time]) => {
    const more = text.slice(1, -1);
    const comma = more.trim() === '' ? '' : ',';
    return `{${more}${comma}"id":"ID${number}","createdTime":${time}}`;
  });

const envelope = fc
  .record({
    bom: fc.constantFrom('', '\ufeff'),
    objects: fc.array(exported, { maxLength: 5 }),
    layout: fc.array(blanks, { minLength: 8, maxLength: 8 }),
  })
  .map(({ bom, objects, layout: [a, b, c, d, e, f, g, h] }) => ({
    objects,
    text: `${bom}${a}{${b}"elements"${c}:${d}[${e}${objects.join(`${f},${g}`)}${h}]${a}}${b}`,
  }));

function isTime(value: unknown): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_TIME_MS;
}

function expectedOf(text: string): Found {
  const members = membersOf(text);
  if (Number.isNaN(members.modifiedTime)) members.modifiedTime = members.createdTime;
  return { text, members };
}

describe('a file as served', () => {
  test('gives its objects, byte for byte', () => {
    fc.assert(
      fc.property(
        envelope,
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
        ({ text, objects }, sizes) => {
          expect(read('elements', text, sizes)).toEqual(objects.map(expectedOf));
        },
      ),
      { numRuns: 500 },
    );
  });

  test('gives the same wherever a pass ends', () => {
    const interesting =
      ',\n {"note":"😀\\ud83d\\ude00 \\"x\\\\","id":"ß\\u0041" , "createdTime":\t17672256e5,"deep":[[{"a":-1.5e-3}],true,null],\r\n"total":12}\n,{"id":"B","createdTime":1} ] }\n';
    const filler = (length: number): string => {
      const bare = '{"elements":[{"id":"F","createdTime":0,"note":""}';
      return bare.replace('""}', `"${'x'.repeat(length - bare.length)}"}`);
    };
    const bytes = Buffer.byteLength(interesting);
    const expected = read('elements', filler(1000) + interesting).slice(1);
    expect(expected).toHaveLength(2);
    for (let cut = 0; cut <= bytes; cut++) {
      const text = filler(PASS - cut) + interesting;
      expect(read('elements', text, [PASS, 1]).slice(1)).toEqual(expected);
    }
  });

  test('gives the same for objects of any size and pieces of any size', () => {
    const big = fc
      .array(fc.tuple(exported, fc.integer({ min: 0, max: 90_000 })), {
        minLength: 1,
        maxLength: 8,
      })
      .map((all) => all.map(([text, note]) => `{"note":"${'é'.repeat(note)}",${text.slice(1)}`));
    fc.assert(
      fc.property(
        big,
        fc.array(fc.integer({ min: 1, max: 150_000 }), { minLength: 1, maxLength: 6 }),
        (objects, sizes) => {
          const found = read('elements', `{"elements":[${objects.join(',')}]}`, sizes);
          expect(found.map(({ text }) => text)).toEqual(objects);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('that is damaged is taken when it is still what it should be, and only then', () => {
    let taken = 0;
    let refused = 0;
    fc.assert(
      fc.property(envelope, damage, ({ text }, how) => {
        const bytes = damaged(Buffer.from(text), how);
        const hasMark = bytes.subarray(0, 3).equals(Buffer.from('\ufeff'));
        const value = judged(hasMark ? bytes.subarray(3) : bytes) as
          | { elements?: unknown }
          | undefined;
        const isGood =
          /^\s*\{\s*"elements"/.test(bytes.toString('utf8')) &&
          Object.keys(value ?? {}).join() === 'elements' &&
          Array.isArray(value?.elements) &&
          value.elements.every(
            (object: Record<string, unknown> | null) =>
              typeof object?.['id'] === 'string' &&
              object['id'] !== '' &&
              isTime(object['createdTime']),
          );
        const said = refusal('elements', bytes);
        expect(said === undefined).toBe(isGood);
        if (isGood) taken++;
        else refused++;
      }),
      { numRuns: 5000 },
    );
    expect(Math.min(taken, refused)).toBeGreaterThan(100);
  });

  test('cut off anywhere, ends too early', () => {
    const text = '{"elements":[{"id":"A","createdTime":1},{"id":"B","createdTime":2}]}';
    for (let end = 0; end < text.length; end++)
      expect(refusal('elements', text.slice(0, end)), `cut at ${end}`).toMatch(
        /^it ends too early/,
      );
    expect(refusal('elements', `${text} \n`)).toBeUndefined();
  });

  test.each([
    [
      '<!doctype html><html><body>Service unavailable</body></html>',
      /does not begin with \{"elements":\[/,
    ],
    ['[{"id":"A","createdTime":1}]', /does not begin with/],
    ['{"element":[]}', /does not begin with/],
    ['{"href":"x","elements":[]}', /does not begin with/],
    ['\u00a0{"elements":[]}', /does not begin with/],
    ['{"elements":[]}x', /the end expected \(byte 15, after 0 objects\)/],
    ['{"elements":[]}{"elements":[]}', /the end expected/],
    ['{"elements":[],"href":"x"}', /'}' expected \(byte 14/],
    ['{"elements":[,]}', /an object expected/],
    [
      '{"elements":[{"id":"A","createdTime":1},]}',
      /an object expected \(byte 40, after 1 objects\)/,
    ],
    ['{"elements":[{"id":"A","createdTime":1} {"id":"B","createdTime":1}]}', /',' or ']' expected/],
    ['{"elements":[null]}', /an object expected/],
    ['{"elements":[{"createdTime":1}]}', /object 1 has no id \(byte 13/],
    ['{"elements":[{"id":"","createdTime":1}]}', /object 1 has no id/],
    ['{"elements":[{"id":7,"createdTime":1}]}', /object 1 has no id/],
    ['{"elements":[{"id":"A"}]}', /object A has no createdTime/],
    ['{"elements":[{"id":"A","createdTime":"1"}]}', /object A has no createdTime/],
    ['{"elements":[{"id":"A","createdTime":1.5}]}', /object A has no createdTime/],
    ['{"elements":[{"id":"A","createdTime":1e300}]}', /object A has no createdTime/],
    ['{"elements":[{"id":"A","createdTime":-1}]}', /object A has no createdTime/],
    ['{"elements":[{"id":"A","createdTime":8640000000000001}]}', /object A has no createdTime/],
  ])('%j is refused', (text, why) => {
    expect(refusal('elements', text)).toMatch(why);
  });

  test('must be UTF-8 in every byte of an object', () => {
    const around = (bytes: number[]): Buffer =>
      Buffer.concat([
        Buffer.from('{"elements":[{"id":"A","createdTime":1,"note":"'),
        Buffer.from(bytes),
        Buffer.from('"}]}'),
      ]);
    for (const bytes of [
      [0x80],
      [0xc3],
      [0xc0, 0xaf],
      [0xed, 0xa0, 0x80],
      [0xf4, 0x90, 0x80, 0x80],
      [0xff],
      [0xe2, 0x82],
    ])
      expect(refusal('elements', around(bytes)), bytes.join()).toMatch(/object A is not UTF-8/);
    expect(refusal('elements', around([0xe2, 0x82, 0xac]))).toBeUndefined();
  });

  test('may hold only ids that can be told apart and are not a burden', () => {
    const of = (id: string): string => `{"elements":[{"id":"${id}","createdTime":1}]}`;
    expect(refusal('elements', of('x'.repeat(256)))).toBeUndefined();
    expect(refusal('elements', of('x'.repeat(257)))).toMatch(/object 1 has an id of over 256/);
    expect(refusal('elements', of('x'.repeat(70_000)))?.length).toBeLessThan(200);
    expect(refusal('elements', of('\\ud800'))).toMatch(/object 1 has an id/);
    expect(refusal('elements', of('\\ud83d\\ude00'))).toBeUndefined();
  });

  test('may hold an object of 64 MiB, and none that is larger', () => {
    const head = '{"elements":[{"id":"A","createdTime":1,"note":"';
    const tail = '"}]}';
    const chunk = Buffer.alloc(1024 * 1024, 'x');
    const readerOf = (): ObjectReader => {
      const reader = new ObjectReader('elements', () => undefined);
      reader.push(Buffer.from(head));
      return reader;
    };
    const fits = readerOf();
    for (let i = 0; i < 63; i++) fits.push(chunk);
    fits.push(Buffer.from(tail));
    fits.end();
    expect(fits.objects).toBe(1);
    const tooLarge = readerOf();
    let pushed = 0;
    expect(() => {
      for (; pushed < 200; pushed++) tooLarge.push(chunk);
    }).toThrow(/an object is over 64 MiB/);
    // Refused when it is known, not when memory is full of it.
    expect(pushed * chunk.length).toBeLessThanOrEqual(2 * MAX_OBJECT_BYTES + chunk.length);
  });

  test('may hold so many objects and no more: what is kept of each adds up', () => {
    const some = Buffer.from(',{"id":"A","createdTime":1}'.repeat(OBJECTS_PER_FILE));
    const reader = new ObjectReader('elements', () => undefined);
    reader.push(Buffer.from('{"elements":['));
    reader.push(some.subarray(1));
    for (let i = 1; i < 100; i++) reader.push(some);
    expect(reader.objects).toBeLessThanOrEqual(100 * OBJECTS_PER_FILE);
    expect(() => {
      for (let i = 0; i < 10; i++) reader.push(some);
    }).toThrow(/it holds more than 100000 objects/);
  });

  test('that cannot be one is refused with its first bytes', () => {
    const reader = new ObjectReader('elements', () => undefined);
    expect(() => reader.push(Buffer.from('<html>'))).toThrow(/does not begin with/);
  });

  test('may not be endless blanks', () => {
    const reader = new ObjectReader('elements', () => undefined);
    reader.push(Buffer.from('{"elements":['));
    expect(() => {
      for (let i = 0; i < 100; i++) reader.push(Buffer.alloc(64 * 1024, ' '));
    }).toThrow(/something other than blanks expected/);
  });
});

describe('JSON lines', () => {
  test('give their objects', () => {
    fc.assert(
      fc.property(
        fc.array(exported, { maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
        (objects, sizes) => {
          const lines = objects.map((text) => text.replaceAll(/[\r\n]/g, ''));
          expect(read('lines', lines.map((line) => `${line}\n`).join(''), sizes)).toEqual(
            lines.map(expectedOf),
          );
        },
      ),
    );
  });

  test.each([
    ['{"id":"A","createdTime":1}', /it ends too early/],
    ['{"id":"A","createdTime":1} {"id":"B","createdTime":1}\n', /the end of the line expected/],
    ['{"id":"A","createdTime":1}\n{"id":"B"', /it ends too early \(byte \d+, after 1 objects\)/],
    ['{"id":"A","createdTime":1}\nx\n', /an object expected/],
  ])('%j are refused', (text, why) => {
    expect(refusal('lines', text)).toMatch(why);
  });
});
