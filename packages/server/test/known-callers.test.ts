import { expect, test } from 'vitest';
import { KnownCallers } from '../src/http/known-callers.ts';

test('a caller is known until its token fails, or ten thousand others came after it', () => {
  const callers = new KnownCallers();
  expect(callers.has('a')).toBe(false);
  callers.add('a');
  callers.add('b');
  expect([callers.has('a'), callers.has('b')]).toEqual([true, true]);
  callers.delete('b');
  expect(callers.has('b')).toBe(false);
  for (let n = 0; n < 9_999; n++) callers.add(`other ${n}`);
  expect(callers.has('a')).toBe(true);
  callers.add('a');
  callers.add('one more');
  expect([callers.has('a'), callers.has('other 0')]).toEqual([true, false]);
});
