/** `tillroll exports`: the group of commands about single exports. */
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { addCreate } from './exports-create.ts';
import { addDelete } from './exports-delete.ts';
import { addDownload } from './exports-download.ts';
import { addList } from './exports-list.ts';
import { addShow } from './exports-show.ts';
import { addWait } from './exports-wait.ts';

const EXAMPLES = `
The single steps of what "tillroll pull" does:
  $ ID=$(tillroll exports create --type orders --from 2026-01-01 --to 2026-01-31 | jq -r .id)
  $ tillroll exports wait $ID
  $ tillroll exports download $ID --out january/
`;

export function addExports(root: Command, context: Context): void {
  const group = root
    .command('exports')
    .description('single exports: create, show, wait, download, delete, list; JSON on stdout')
    .addHelpText('after', EXAMPLES);
  for (const add of [addCreate, addShow, addWait, addDownload, addDelete, addList])
    add(group, context);
}
