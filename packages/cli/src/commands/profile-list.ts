/** `tillroll profile list`: lists the saved connections, without their tokens. */
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { oneLine } from '../errors.ts';
import { printLines } from '../print.ts';
import { table } from '../summary/table.ts';

export function addProfileList(group: Command, context: Context): void {
  group
    .command('list')
    .description('print names, URLs and merchants, never tokens')
    .addHelpText('after', '\nExample:\n  $ tillroll profile list\n')
    .action(() => list(context));
}

async function list(context: Context): Promise<void> {
  const { profilesPath, readProfiles } = await import('../connection/profiles.ts');
  const path = profilesPath(context.env);
  const profiles = Object.entries(await readProfiles(path));
  if (profiles.length === 0) return context.note(`there are no profiles in ${path}`);
  const rows = profiles.map(([name, { url, merchant }]) => [name, url, merchant].map(oneLine));
  printLines(context, table([['NAME', 'URL', 'MERCHANT'], ...rows], []));
}
