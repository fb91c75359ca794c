import { expect, test } from 'vitest';
import { oneLine } from '../src/errors.ts';

test.each<[unknown, string]>([
  [new Error('broken'), 'broken'],
  [new Error('outer', { cause: new Error('inner') }), 'outer: inner'],
  [new Error('outer: inner', { cause: new Error('inner') }), 'outer: inner'],
  ['a text', 'a text'],
  [new Error('two\n  lines'), 'two lines'],
  // A copy of an error, as pg-boss emits it, and as it comes out of a JSON text.
  [
    { message: 'connect ECONNREFUSED', stack: 'Error: x\n  at y', code: 'ECONNREFUSED' },
    'connect ECONNREFUSED',
  ],
  // A name that has several addresses.
  [
    new AggregateError([new Error('connect ::1'), new Error('connect 127.0.0.1')]),
    'connect ::1, connect 127.0.0.1',
  ],
  [Object.assign(new Error(''), { code: 'ECONNRESET' }), 'ECONNRESET'],
  [new TypeError(''), 'TypeError'],
  [{ a: 1, b: 'x' }, "{ a: 1, b: 'x' }"],
  [7, '7'],
  [null, ''],
  [undefined, ''],
])('%o', (error, line) => {
  expect(oneLine(error)).toBe(line);
});

test('nothing that is thrown becomes JSON in a line of JSON', () => {
  expect(JSON.stringify({ error: oneLine({ message: 'm', detail: { a: 'b' } }) })).toBe(
    '{"error":"m"}',
  );
  expect(oneLine({ a: { b: { c: 1 } } })).not.toMatch(/"/);
});
