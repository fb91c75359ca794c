import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';

export interface Options {
  readonly short: boolean;
  /** Names of cases; none: all of the form. */
  readonly cases: readonly string[];
  readonly seed: string;
  readonly resume: boolean;
  readonly state: string;
  readonly list: boolean;
  readonly help: boolean;
}

export const HELP = `npm run chaos -- [options]

Causes faults in real processes of the service and real servers, and compares every export with the
source afterwards. Exit code 1 when something is lost, wrong, stuck or left, or a bound is missed.

  --short        fewer cases and faults, for CI: at most 5 minutes
  --cases A,B    these cases
  --seed TEXT    the seed of the random moments; printed at the start, to repeat a run
  --resume       continue after the cases that have passed already, with their seed
  --state FILE   where finished cases are kept (data/chaos.json)
  --list         the cases and what each does
  --help         this text
`;

/** @throws TypeError for an option that is not known. */
export function parseOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      short: { type: 'boolean', default: false },
      cases: { type: 'string', default: '' },
      seed: { type: 'string', default: randomBytes(4).toString('hex') },
      resume: { type: 'boolean', default: false },
      state: { type: 'string', default: 'data/chaos.json' },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  return { ...values, cases: values.cases.split(',').filter(Boolean) };
}
