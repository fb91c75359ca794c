import { MAX_TIME_MS } from '@tillroll/contract';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { blanks, damage, damaged, judged } from './json-texts.ts';
import { computeExpected, exported, read, refusal } from './object-reader-scene.ts';

/** The reader looks at what it has got when it has got so much. */
const PASS = 64 * 1024;

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

describe('a raw file', () => {
  test('gives its objects, byte for byte', () => {
    fc.assert(
      fc.property(
        envelope,
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
        ({ text, objects }, sizes) => {
          expect(read('elements', text, sizes)).toEqual(objects.map(computeExpected));
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

  test('that is damaged leaves the earlier of two times, which is judged as it is written', () => {
    const text = '{"elements":[{"createdTime":1.0000000000000000001,"id":"A","createdTime":1}]}';
    expect(refusal('elements', text)).toBeUndefined();
    expect(refusal('elements', text.replace(',"createdTime"', ',"createdTimee"'))).toMatch(
      /createdTime/,
    );
  });

  test('cut off anywhere, ends too early', () => {
    const text = '{"elements":[{"id":"A","createdTime":1},{"id":"B","createdTime":2}]}';
    for (let end = 0; end < text.length; end++)
      expect(refusal('elements', text.slice(0, end)), `cut at ${end}`).toMatch(
        /^it ends too early/,
      );
    expect(refusal('elements', `${text} \n`)).toBeUndefined();
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
            lines.map(computeExpected),
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
