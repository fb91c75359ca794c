/** Options of every command that talks to a server. */
import { Option, type Command } from 'commander';
import type { CloverRegion } from '@tillroll/client';

/** Clover's own regions, as the library knows them; a test compares the two. */
export const REGION_NAMES = ['us', 'eu', 'la', 'sandbox'] as const satisfies CloverRegion[];

/** The connection, as given on the command line. */
export interface ConnectionFlags {
  url?: string;
  region?: CloverRegion;
  merchant?: string;
  token?: string;
  profile?: string;
  verbose?: boolean;
}

export function regionOption(): Option {
  return new Option('--region <region>', "Clover's own service, instead of --url").choices(
    REGION_NAMES,
  );
}

/** Adds the options of every command that talks to a server. */
export function addConnectionOptions(command: Command): Command {
  return command
    .optionsGroup(
      'Connection (or TILLROLL_URL, TILLROLL_MERCHANT, TILLROLL_TOKEN, TILLROLL_PROFILE):',
    )
    .option('--url <url>', "the server's URL, such as https://exports.example.com")
    .addOption(regionOption())
    .option('--merchant <id>', "the merchant's id")
    .option('--token <token>', 'visible to other users in ps: prefer TILLROLL_TOKEN or a profile')
    .option('--profile <name>', 'a connection saved with "tillroll profile add"')
    .option('--verbose', 'print each request on stderr, without tokens');
}
