import { expect, test } from 'vitest';
import { MAX_STARTS_PER_TURN } from '../src/http/limits.ts';
import { Pacer } from '../src/http/pacer.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('a little work is begun at once', () => {
  const pacer = new Pacer();
  const begun: number[] = [];
  for (let n = 0; n < 5; n++) pacer.run('a', () => begun.push(n));
  expect(begun).toEqual([0, 1, 2, 3, 4]);
});

test('a lot of work is spread over turns, and another key does not wait for the end of it', async () => {
  const pacer = new Pacer();
  const begun: string[] = [];
  for (let n = 0; n < 500; n++) pacer.run('many', () => begun.push('many'));
  pacer.run('one', () => begun.push('one'));
  expect(begun).toHaveLength(MAX_STARTS_PER_TURN);
  let turns = 0;
  for (; begun.length < 501 && turns < 600; turns++) await turn();
  expect(begun).toHaveLength(501);
  // The second in turn, whatever a turn may begin.
  expect(begun.indexOf('one')).toBe(MAX_STARTS_PER_TURN + 1);
  expect(turns).toBeGreaterThan(10);
});

test('after long turns less is begun in each, but always something', async () => {
  const pacer = new Pacer();
  let begun = 0;
  const busy = (): void => {
    begun++;
    const until = performance.now() + 3;
    while (performance.now() < until);
  };
  for (let n = 0; n < 200; n++) pacer.run('a', busy);
  for (let turns = 0; turns < 8; turns++) await turn();
  const before = begun;
  await turn();
  expect(begun - before).toBeGreaterThanOrEqual(1);
  expect(begun - before).toBeLessThanOrEqual(4);
});
