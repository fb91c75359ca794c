/** Two merchants with objects of the same ids, and what nobody else may see of them. */

import { type Client, type Finished, freshId, line, other, choosePeriod } from './api.ts';

export const START = choosePeriod(2011);

export const END = START + 10_000;

/** One install with objects that nobody else may see, and exports of them. */
export interface Owner {
  client: Client;
  name: string;
  done: Finished[];
}

export const marks = { main: `MARK-${freshId()}`, other: `MARK-${freshId()}` };

export const sharedIds = Array.from({ length: 1001 }, () => freshId('T'));

export const makeLines = (mark: string): string[] =>
  sharedIds.map((id, i) => line(START + i, { id, note: mark, total: i }));

export const lines = { main: makeLines(marks.main), other: makeLines(marks.other) };

export const owners: Owner[] = [];

export const listSecrets = (owner: Owner): string[] => [
  owner.client === other ? marks.other : marks.main,
  ...owner.done.flatMap((done) => [done.export.id, ...done.urls]),
];
