import type { Random } from './random.ts';
import type { Servers } from './scene/servers.ts';
import type { Tally } from './tally.ts';

/** The store in which a case keeps the files of exports. */
export type StorageKind = 'directory' | 's3';

/** Everything that a case runs with. */
export interface Stage {
  /** Faults to cause. */
  readonly runs: number;
  readonly isShort: boolean;
  readonly random: Random;
  readonly servers: Servers;
  readonly tally: Tally;
  /** Aborts when the suite is interrupted. */
  readonly signal: AbortSignal;
  /** Seconds within which every export has ended, once a fault is over. */
  readonly boundS: number;
}

/** One kind of fault. */
export interface Case {
  readonly name: string;
  readonly about: string;
  readonly boundS: number;
  /** Number of faults; a case with none in the short form is not part of it. */
  readonly runs: { readonly long: number; readonly short: number };
  /** Tells what this machine lacks for the case, or null. */
  readonly findObstacle?: () => string | null;
  readonly run: (stage: Stage) => Promise<void>;
}
