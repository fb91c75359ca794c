/** `tillroll exports show`: prints one export as JSON. */
import type { Command } from 'commander';
import { addConnectionOptions, type ConnectionFlags } from '../connection/flags.ts';
import type { Context } from '../context.ts';
import { printJson } from '../print.ts';

const EXAMPLES = `
Example:
  $ tillroll exports show 46W0PSXERJTCS
`;

export function addShow(group: Command, context: Context): void {
  const command = group
    .command('show')
    .description('print an export')
    .argument('<id>', "the export's id");
  addConnectionOptions(command)
    .addHelpText('after', EXAMPLES)
    .action(async (id: string, flags: ConnectionFlags) => {
      const { connect } = await import('../connection/connect.ts');
      const client = await connect(flags, context);
      printJson(context, await client.show(id, { signal: context.signal }));
    });
}
