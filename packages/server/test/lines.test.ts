import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TooLarge } from '../src/ingest/errors.ts';
import { LineCutter } from '../src/ingest/lines.ts';

const LIMITS = { line: 100, body: 10_000 };

function* inChunks(body: Buffer, sizes: readonly number[]): Generator<Buffer> {
  for (let at = 0, turn = 0; at < body.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1;
    yield Buffer.from(body.subarray(at, at + size));
    at += size;
  }
}

function readLines(
  body: Buffer | string,
  sizes: readonly number[] = [body.length || 1],
  limits = LIMITS,
): [number, string][] {
  const found: [number, string][] = [];
  const cutter = new LineCutter(
    ({ number, bytes }) => found.push([number, bytes.toString('utf8')]),
    limits,
  );
  for (const chunk of inChunks(Buffer.from(body), sizes)) cutter.push(chunk);
  cutter.end();
  return found;
}

/** The message of the TooLarge, or what was read instead of it. */
function tooLarge(reading: () => unknown): unknown {
  try {
    return reading();
  } catch (error) {
    return error instanceof TooLarge ? error.message : error;
  }
}

const texts = fc.oneof(
  fc
    .string({ unit: 'grapheme', maxLength: 12 })
    .map((text) => text.replaceAll(/[\r\n\ufeff]/g, '')),
  fc.constantFrom('', ' ', '\t ', '{"id":"A"}', '{"note":"😀ß"}', 'a\rb'),
);
const bodies = fc.record({
  lines: fc.array(fc.record({ text: texts, end: fc.constantFrom('\n', '\r\n') }), {
    maxLength: 30,
  }),
  bom: fc.boolean(),
  lastBreak: fc.boolean(),
});
const sizes = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 8 });

describe('lines of a body', () => {
  test('are the same whatever the boundaries of the chunks', () => {
    fc.assert(
      fc.property(bodies, sizes, ({ lines, bom, lastBreak }, chunkSizes) => {
        const joined = lines
          .map(({ text, end }, i) => (i < lines.length - 1 || lastBreak ? text + end : text))
          .join('');
        const expected = lines
          .map(({ text }, i): [number, string] => [i + 1, text])
          .filter(([, text]) => /[^\t\r ]/.test(text));
        const body = Buffer.from((bom ? '\ufeff' : '') + joined);
        expect(readLines(body, chunkSizes)).toEqual(expected);
        expect(readLines(body, [1])).toEqual(expected);
        expect(readLines(body)).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });

  test.each<[string, string, [number, string][]]>([
    ['nothing', '', []],
    ['only breaks', '\n\r\n\n', []],
    ['only a byte order mark', '\ufeff', []],
    ['a byte order mark and a break', '\ufeff\r\n{}', [[2, '{}']]],
    [
      'no final break',
      '{}\n{"a":1}',
      [
        [1, '{}'],
        [2, '{"a":1}'],
      ],
    ],
    ['a final CR without LF', '{}\r', [[1, '{}']]],
    [
      'LF and CRLF mixed',
      'a\r\nb\nc\r\n',
      [
        [1, 'a'],
        [2, 'b'],
        [3, 'c'],
      ],
    ],
    [
      'empty lines between',
      'a\n\n \t\r\nb\n',
      [
        [1, 'a'],
        [4, 'b'],
      ],
    ],
    ['white space around an object stays', '  {} \n', [[1, '  {} ']]],
    ['one CR of several', 'a\r\r\n', [[1, 'a\r']]],
  ])('%s', (_what, body, expected) => {
    expect(readLines(body)).toEqual(expected);
    expect(readLines(body, [1])).toEqual(expected);
  });

  test('a byte order mark counts only at the start', () => {
    expect(readLines('a\n\ufeffb')).toEqual([
      [1, 'a'],
      [2, '\ufeffb'],
    ]);
  });

  test('lines come with the chunk that ends them', () => {
    let lines = 0;
    const cutter = new LineCutter(() => lines++, LIMITS);
    const counts = [...inChunks(Buffer.from('a\nb\nc\nd'), [4])].map((chunk) => {
      cutter.push(chunk);
      return lines;
    });
    cutter.end();
    expect([...counts, lines]).toEqual([2, 3, 4]);
  });
});

describe('limits', () => {
  const full = 'x'.repeat(LIMITS.line);

  test.each([
    ['alone', full],
    ['with LF', `${full}\n`],
    ['with CRLF', `${full}\r\n`],
    ['with a byte order mark', `\ufeff${full}\r\n`],
  ])('a line of the limit passes, %s', (_what, body) => {
    expect(readLines(body)).toEqual([[1, full]]);
    expect(readLines(body, [1])).toEqual([[1, full]]);
    expect(readLines(body, [7])).toEqual([[1, full]]);
  });

  test.each([
    ['alone', `${full}x`],
    ['with LF', `${full}x\n`],
    ['with CRLF', `${full}x\r\n`],
    ['with a byte order mark', `\ufeff${full}x\r\n`],
  ])('one byte more does not, %s', (_what, body) => {
    for (const chunkSizes of [[body.length * 2], [1], [7]]) {
      expect(tooLarge(() => readLines(body, chunkSizes))).toMatch(/^line 1: longer than 100 bytes/);
    }
  });

  test('the number of the line is named', () => {
    for (const chunkSizes of [[10_000], [1], [7]]) {
      const body = `a\n\nb\n${full}xxxxxxxxxx`;
      expect(tooLarge(() => readLines(body, chunkSizes))).toMatch(/^line 4: longer than 100 bytes/);
      expect(tooLarge(() => readLines(`${body}\nc\n`, chunkSizes))).toMatch(/^line 4: /);
    }
  });

  test('a line that never ends is given up soon after its limit', () => {
    let sent = 0;
    const cutter = new LineCutter(() => undefined, { line: 100, body: Infinity });
    const read = (): void => {
      for (; sent < 1_000_000; sent += 10) cutter.push(Buffer.alloc(10, 'x'));
    };
    expect(tooLarge(read)).toMatch(/^line 1: /);
    expect(sent).toBeLessThanOrEqual(120);
  });

  test('a body of the limit passes; one byte more does not', () => {
    const limits = { line: 100, body: 1000 };
    const body = `${'x'.repeat(99)}\n`.repeat(10);
    for (const chunkSizes of [[5000], [1], [7]]) {
      expect(readLines(body, chunkSizes, limits)).toHaveLength(10);
      expect(tooLarge(() => readLines(`${body}\n`, chunkSizes, limits))).toMatch(
        /^the body is larger than 1000 bytes/,
      );
    }
  });

  test('a body of empty lines alone is limited as well', () => {
    expect(tooLarge(() => readLines('\n'.repeat(1001), [64], { line: 100, body: 1000 }))).toMatch(
      /^the body is larger/,
    );
  });
});
