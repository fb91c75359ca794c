/** `tillroll exports delete`: cancels an export, or deletes its files, and prints it. */
import type { Command } from 'commander';
import { addConnectionOptions, type ConnectionFlags } from '../connection/flags.ts';
import type { Context } from '../context.ts';
import { printJson } from '../print.ts';

const EXAMPLES = `
Example:
  $ tillroll exports delete 46W0PSXERJTCS
`;

export function addDelete(group: Command, context: Context): void {
  const command = group
    .command('delete')
    .description('cancel an open export, or delete the files of a finished one (Tillroll only)')
    .argument('<id>', "the export's id");
  addConnectionOptions(command)
    .addHelpText('after', EXAMPLES)
    .action(async (id: string, flags: ConnectionFlags) => {
      const { connect } = await import('../connection/connect.ts');
      const client = await connect(flags, context);
      printJson(context, await client.delete(id, { signal: context.signal }));
    });
}
