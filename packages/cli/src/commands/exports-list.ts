/** `tillroll exports list`: lists the exports of this install. */
import type { Command } from 'commander';
import { addConnectionOptions, type ConnectionFlags } from '../connection/flags.ts';
import type { Context } from '../context.ts';
import { parseNumber } from '../parse/numbers.ts';
import { printJson } from '../print.ts';

interface ListFlags extends ConnectionFlags {
  limit?: string;
  offset?: string;
}

const EXAMPLES = `
Example:
  $ tillroll exports list --limit 20 | jq -r '.elements[] | [.id, .type, .status] | @tsv'
`;

export function addList(group: Command, context: Context): void {
  const command = group
    .command('list')
    .description("print the exports of this app's install, newest first (Tillroll only)")
    .option('--limit <n>', 'how many at most')
    .option('--offset <n>', 'how many to skip');
  addConnectionOptions(command)
    .addHelpText('after', EXAMPLES)
    .action((flags: ListFlags) => list(flags, context));
}

async function list(flags: ListFlags, context: Context): Promise<void> {
  const limit = flags.limit === undefined ? undefined : parseNumber('--limit', flags.limit);
  const offset = flags.offset === undefined ? undefined : parseNumber('--offset', flags.offset, 0);
  const { connect } = await import('../connection/connect.ts');
  const client = await connect(flags, context);
  printJson(context, await client.list({ limit, offset, signal: context.signal }));
}
