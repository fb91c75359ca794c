/** `tillroll profile`: the group of commands about saved connections. */
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { addProfileAdd, PROFILE_EXAMPLES } from './profile-add.ts';
import { addProfileList } from './profile-list.ts';
import { addProfileRemove } from './profile-remove.ts';

export function addProfile(root: Command, context: Context): void {
  const group = root
    .command('profile')
    .description('save connections under a name: add, list, remove')
    .addHelpText('after', PROFILE_EXAMPLES);
  for (const add of [addProfileAdd, addProfileList, addProfileRemove]) add(group, context);
}
