import type { Counts, Fact } from './tally.ts';

/** A case's line of the table. */
export interface Row extends Counts {
  readonly name: string;
  /** Faults that were to be caused. */
  readonly wanted: number;
  readonly boundS: number;
  readonly seconds: number;
  /** The reason why the case did not run, or broke off; null when it ran to its end. */
  readonly skipped: string | null;
  readonly broken: string | null;
}

/** Columns of which a value may be wrong. */
export type Fault =
  | 'runs'
  | 'checked'
  | 'lost'
  | 'wrong'
  | 'stuck'
  | 'unowned'
  | 'recovery'
  | 'facts'
  | 'broken';

export function isMissed({ value, from, to }: Fact): boolean {
  return value < (from ?? -Infinity) || value > to;
}

/** Finds all that a row misses; nothing for a case that was skipped. */
export function findFaults(row: Row): Fault[] {
  if (row.skipped !== null) return [];
  const faults: Fault[] = [];
  if (row.runs < row.wanted) faults.push('runs');
  if (row.checked === 0) faults.push('checked');
  for (const count of ['lost', 'wrong', 'stuck', 'unowned'] as const)
    if (row[count] > 0) faults.push(count);
  if (row.recoveriesS.some((seconds) => seconds > row.boundS)) faults.push('recovery');
  if (row.facts.some((fact) => isMissed(fact))) faults.push('facts');
  if (row.broken !== null) faults.push('broken');
  return faults;
}
