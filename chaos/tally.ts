import type { FailureCode } from '@tillroll/contract';

/** A measured value with a bound of its own, beside the recovery. */
export interface Fact {
  readonly name: string;
  readonly value: number;
  /** The least that is allowed, or null, and the most. */
  readonly from: number | null;
  readonly to: number;
}

/** Everything that a case found, as the table shows it and the state file keeps it. */
export interface Counts {
  readonly runs: number;
  readonly checked: number;
  readonly lost: number;
  readonly wrong: number;
  readonly stuck: number;
  readonly unowned: number;
  readonly recoveriesS: readonly number[];
  readonly facts: readonly Fact[];
  /** A line for each thing that is not right. */
  readonly complaints: readonly string[];
}

type Kind = 'lost' | 'wrong' | 'stuck' | 'unowned';

/** Failures that the reason given to the client may have, for exports that ended as FAILED. */
export type AllowedFailures = readonly FailureCode[];

/** Counts what a case finds. */
export class Tally implements Counts {
  runs = 0;
  checked = 0;
  lost = 0;
  wrong = 0;
  stuck = 0;
  unowned = 0;
  readonly recoveriesS: number[] = [];
  readonly complaints: string[] = [];
  readonly #facts = new Map<string, Fact>();

  complain(kind: Kind, complaint: string, count = 1): void {
    this[kind] += count;
    this.complaints.push(`${kind}: ${complaint}`);
  }

  /** Keeps the value that is furthest from what is allowed, over all runs. */
  measure(name: string, value: number, from: number | null, to: number): void {
    const known = this.#facts.get(name);
    const excess = (fact: Fact): number =>
      Math.max(fact.value - fact.to, (fact.from ?? -Infinity) - fact.value);
    const fact = { name, value, from, to };
    if (!known || excess(fact) > excess(known)) this.#facts.set(name, fact);
  }

  get facts(): readonly Fact[] {
    return [...this.#facts.values()];
  }

  /** A plain copy, for the table and the state file. */
  counts(): Counts {
    const { runs, checked, lost, wrong, stuck, unowned, recoveriesS, facts, complaints } = this;
    return { runs, checked, lost, wrong, stuck, unowned, recoveriesS, facts, complaints };
  }
}
