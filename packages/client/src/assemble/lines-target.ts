import type { Members } from '../json/members.ts';
import type { LinesSummary } from './lines-writer.ts';
import type { Counter } from './tally.ts';

/** Takes the objects of a month's file. */
export interface LinesTarget {
  /** @param source `EXISTING`, or the number of an export, from 1. */
  add(buffer: Buffer, start: number, end: number, members: Members, source: number): void;
  /** @returns a function that removes what was added since. */
  mark(): () => void;
  /** Closes open files; data on disk stays. */
  close(): void;
}

/** What a finished target leaves: the output, and the sorted hashes of its ids. */
export interface FinishedLines extends LinesSummary {
  hashes: Float64Array;
}

/** What a target needs of its assembly to finish. */
export interface FinishContext {
  /** Counted all objects; those that are dropped are removed from it. */
  counter: Counter;
  /** The id of the export with this number. */
  exportName: (source: number) => string;
  throwIfAborted: () => void;
}
