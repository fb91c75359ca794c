import { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { Admission } from '../src/http/admission.ts';
import { STARTS_PER_TURN } from '../src/http/limits.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('connections start a few in a turn, by address in turn, and those that were closed do not', async () => {
  const admission = new Admission();
  const started: string[] = [];
  const add = (address: string): Socket => {
    const socket = new Socket();
    admission.add(address, socket, () => started.push(address));
    return socket;
  };
  for (let n = 0; n < 100; n++) add('many');
  add('one');
  add('closed').destroy();
  expect(started).toEqual([]);
  await turn();
  expect(started.length).toBeLessThanOrEqual(STARTS_PER_TURN);
  // After a slow turn, one starts.
  await turn();
  expect(started.slice(0, 2)).toEqual(['many', 'one']);
  for (let turns = 0; turns < 102 && started.length < 101; turns++) await turn();
  expect(started).toHaveLength(101);
  expect(started).not.toContain('closed');
});
