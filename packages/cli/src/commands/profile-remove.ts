/** `tillroll profile remove`: deletes a saved connection. */
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { quoted, UsageError } from '../exit.ts';

export function addProfileRemove(group: Command, context: Context): void {
  group
    .command('remove')
    .description('delete a connection')
    .argument('<name>', "the profile's name")
    .addHelpText('after', '\nExample:\n  $ tillroll profile remove shop\n')
    .action((name: string) => remove(name, context));
}

async function remove(name: string, context: Context): Promise<void> {
  const { profilesPath, readProfiles, writeProfiles } = await import('../connection/profiles.ts');
  const path = profilesPath(context.env);
  const profiles = await readProfiles(path);
  if (!Object.hasOwn(profiles, name))
    throw new UsageError(`there is no profile ${quoted(name)} in ${path}`);
  const { [name]: _removed, ...rest } = profiles;
  await writeProfiles(path, rest);
  context.note(`profile ${name} removed from ${path}`);
}
