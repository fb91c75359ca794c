import type { Command } from 'commander';
import type { Context } from '../context.ts';

export interface VerifyFlags {
  plain?: boolean;
  quiet?: boolean;
  json?: boolean;
}

const EXAMPLES = `
Examples:
  $ tillroll verify sales/
  sales: complete and unaltered: 26 files, 624,817 objects, 812 MB
  $ tillroll verify sales/ --json | jq .faults

Exit: 0 all is there and unaltered, 1 otherwise.
`;

export function addVerify(root: Command, context: Context): void {
  root
    .command('verify')
    .description('check a directory against its receipt, offline')
    .argument('<dir>', 'what "tillroll pull" wrote')
    .option('--plain', 'progress as lines, also on a terminal')
    .option('--quiet', 'print faults alone')
    .option('--json', 'print the whole result as JSON')
    .addHelpText('after', EXAMPLES)
    .action(async (directory: string, flags: VerifyFlags) =>
      (await import('../actions/verify.ts')).verifyDirectory(directory, flags, context),
    );
}
