import { Option, type Command } from 'commander';
import type { CloverRegion } from '@tillroll/client';

/** Clover's own regions, as the library knows them; a test compares the two. */
export const REGION_NAMES = ['us', 'eu', 'la', 'sandbox'] as const satisfies CloverRegion[];

/** Where and as whom, as given on the command line. */
export interface ConnectionFlags {
  url?: string;
  region?: CloverRegion;
  merchant?: string;
  token?: string;
  profile?: string;
}

/** The options of every command that talks to a service. */
export function addConnectionOptions(command: Command): Command {
  return command
    .optionsGroup(
      'Connection (or TILLROLL_URL, TILLROLL_MERCHANT, TILLROLL_TOKEN, TILLROLL_PROFILE):',
    )
    .option('--url <url>', "the service's address, such as https://exports.example.com")
    .addOption(
      new Option('--region <region>', "Clover's own service, instead of --url").choices(
        REGION_NAMES,
      ),
    )
    .option('--merchant <id>', "the merchant's id")
    .option('--token <token>', 'better in TILLROLL_TOKEN or a profile: other users see it in ps')
    .option('--profile <name>', 'a connection kept by "tillroll profile add"');
}
