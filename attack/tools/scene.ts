/** The interface of an attack, and what it is given. */
import type { Target } from '../target.ts';
import type { Connections } from './connections.ts';
import type { Tally } from './tally.ts';

/** The context of an attack. */
export interface Scene {
  readonly target: Target;
  readonly connections: Connections;
  readonly tally: Tally;
  /** The short form, for CI: fewer connections and less data. */
  readonly short: boolean;
  /** Aborts when the attack's time is over. */
  readonly signal: AbortSignal;
}

export interface Attack {
  /** Unique; what `--only` takes. */
  readonly name: string;
  /** One line for `--list`. */
  readonly about: string;
  /** Part of the short form. */
  readonly inShort: boolean;
  /** Ends at the latest when the scene's signal aborts. Connections that it leaves are closed for it. */
  run(scene: Scene): Promise<void>;
}

/** The n-th address of the attacker: 127.0.0.2 and up, 250 in each block of 256. */
export function attackerAddress(n = 0): string {
  return `127.0.${Math.floor(n / 250) % 250}.${2 + (n % 250)}`;
}
