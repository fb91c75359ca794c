import type { Command } from 'commander';
import { addConnectionOptions, type ConnectionFlags } from '../connection/flags.ts';
import type { Context } from '../context.ts';

export interface HoursFlags extends ConnectionFlags {
  json?: boolean;
}

const EXAMPLES = `
Examples:
  $ tillroll hours --region eu
  closed, opens at 01:00 UTC (in 3 h 12 min); open Mon-Fri 01:00-05:00, Sat 02:00-05:00 UTC
  $ tillroll hours && tillroll pull --since-last --out sales/

Exit: 0 open, 75 closed.
`;

export function addHours(root: Command, context: Context): void {
  addConnectionOptions(
    root
      .command('hours')
      .description('say whether exports can be created now, and when next; needs no token')
      .option('--json', 'as JSON'),
  )
    .addHelpText('after', EXAMPLES)
    .action(async (flags: HoursFlags) =>
      (await import('../actions/hours.ts')).hours(flags, context),
    );
}
