import { Option, type Command } from 'commander';
import type { CloverRegion } from '@tillroll/client';
import { REGION_NAMES } from '../connection/flags.ts';
import type { Context } from '../context.ts';

export interface AddFlags {
  url?: string;
  region?: CloverRegion;
  merchant: string;
}

const EXAMPLES = `
Examples:
  $ tillroll profile add shop --url https://exports.example.com --merchant SHOP
  Token (not shown):
  $ tillroll profile add clover --region us --merchant HEK2T < token.txt
  $ tillroll pull --profile shop --from 2026-01-01 --out sales/

A profile named "default" is used when none is named and something is missing.
The file is readable by you alone; docs/cli.md says where it is.
`;

/** Loaded only when one of them runs. */
const actions = () => import('../actions/profile.ts');

export function addProfile(root: Command, context: Context): void {
  const group = root
    .command('profile')
    .description('keep connections under a name: add, list, remove')
    .addHelpText('after', EXAMPLES);
  group
    .command('add')
    .description(
      'keep a connection; its token comes from standard input, TILLROLL_TOKEN, or is asked for',
    )
    .argument('<name>', 'the name to keep it under; one that is there is replaced')
    .option('--url <url>', "the service's address")
    .addOption(
      new Option('--region <region>', "Clover's own service, instead of --url").choices(
        REGION_NAMES,
      ),
    )
    .requiredOption('--merchant <id>', "the merchant's id")
    .addHelpText('after', EXAMPLES)
    .action(async (name: string, flags: AddFlags) => (await actions()).add(name, flags, context));
  group
    .command('list')
    .description('print names, addresses and merchants, never tokens')
    .addHelpText('after', '\nExample:\n  $ tillroll profile list\n')
    .action(async () => (await actions()).list(context));
  group
    .command('remove')
    .description('forget a connection')
    .argument('<name>', 'its name')
    .addHelpText('after', '\nExample:\n  $ tillroll profile remove shop\n')
    .action(async (name: string) => (await actions()).remove(name, context));
}
