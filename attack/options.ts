/** Parses the options of `npm run attack`. */
import { parseArgs } from 'node:util';

export interface Options {
  readonly short: boolean;
  /** Names, or beginnings of names; none: all. */
  readonly only: readonly string[];
  readonly list: boolean;
  readonly help: boolean;
}

export const HELP = `npm run attack -- [options]

Attacks a throw-away service on loopback and measures what a normal client sees meanwhile.
Linux: attackers come from 127.0.0.2 and up. Exit code 1 when an attack is not withstood.

  --short        fewer attacks, less of each, for CI: fails for an outage alone (a poll that fails, a
                 service that ends, hangs or does not recover), not for times and sizes
  --only NAME    this attack, or those whose names begin so; may be given several times
  --list         the attacks and what each does
  --help         this text
`;

/** @throws TypeError for an option that is not known. */
export function parseOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      short: { type: 'boolean', default: false },
      only: { type: 'string', multiple: true, default: [] },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  return values;
}
