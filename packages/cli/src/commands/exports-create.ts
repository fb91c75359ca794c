/** `tillroll exports create`: creates one export and prints it, or prints what it would hold. */
import type { Command } from 'commander';
import { addConnectionOptions, type ConnectionFlags } from '../connection/flags.ts';
import type { Context } from '../context.ts';
import { waitingText } from '../display/words.ts';
import { parseType } from '../parse/types.ts';
import { printJson } from '../print.ts';

interface CreateFlags extends ConnectionFlags {
  type: string;
  from: string;
  to: string;
  timezone?: string;
  dryRun?: boolean;
  wait: boolean;
}

const EXAMPLES = `
Examples:
  $ tillroll exports create --type orders --from 2026-01-01 --to 2026-01-31
  $ tillroll exports create --type payments --from 2026-03-01 --to 2026-03-31 \\
      --timezone America/New_York --no-wait
  $ tillroll exports create --type orders --from 2026-01-01 --to 2026-01-31 --dry-run
`;

export function addCreate(group: Command, context: Context): void {
  const command = group
    .command('create')
    .description('create an export of at most 30 days and print it')
    .requiredOption('--type <type>', 'orders or payments')
    .requiredOption('--from <when>', 'first day or instant')
    .requiredOption('--to <when>', 'end, exclusive')
    .option('--timezone <name>', 'zone of days (default: UTC)')
    .option('--dry-run', 'create nothing: print how many objects and files it would be')
    .option('--no-wait', 'exit 75 instead of waiting until the server is open or has room');
  addConnectionOptions(command)
    .addHelpText('after', EXAMPLES)
    .action((flags: CreateFlags) => create(flags, context));
}

async function create(flags: CreateFlags, context: Context): Promise<void> {
  const type = parseType(flags.type);
  const { from, to, timezone, wait } = flags;
  const [{ parseSpan }, { connect }] = await Promise.all([
    import('@tillroll/client/time'),
    import('../connection/connect.ts'),
  ]);
  const span = parseSpan({ from, to, timezone });
  const client = await connect(flags, context, { wait });
  if (flags.dryRun) {
    printJson(context, await client.previewExport({ type, ...span }, { signal: context.signal }));
    return;
  }
  const exported = await client.create(
    { type, ...span },
    {
      signal: context.signal,
      onWaiting: (waiting) => context.note(waitingText(waiting, Date.now())),
    },
  );
  printJson(context, exported);
}
