/** `tillroll profile add`: saves a connection under a name, and tells whether it works. */
import type { Command } from 'commander';
import type { CloverRegion } from '@tillroll/client';
import { regionOption } from '../connection/flags.ts';
import type { Profile } from '../connection/profiles.ts';
import type { Context } from '../context.ts';
import { UsageError } from '../exit.ts';

interface AddFlags {
  url?: string;
  region?: CloverRegion;
  merchant: string;
  check: boolean;
}

export const PROFILE_EXAMPLES = `
Examples:
  $ tillroll profile add shop --url https://exports.example.com --merchant SHOP
  Token (not shown):
  $ tillroll profile add clover --region us --merchant HEK2T < token.txt
  $ tillroll pull --profile shop --from 2026-01-01 --out sales/

The profile "default" is used when none is named and a part of the connection is missing.
Only you can read the file; docs/cli.md says where it is.
`;

export function addProfileAdd(group: Command, context: Context): void {
  group
    .command('add')
    .description(
      'save a connection; its token comes from standard input, TILLROLL_TOKEN or a prompt',
    )
    .argument('<name>', "the profile's name; an existing profile is replaced")
    .option('--url <url>', "the server's URL")
    .addOption(regionOption())
    .requiredOption('--merchant <id>', "the merchant's id")
    .option('--no-check', 'do not ask the server whether it works')
    .addHelpText('after', PROFILE_EXAMPLES)
    .action((name: string, flags: AddFlags) => add(name, flags, context));
}

async function add(name: string, flags: AddFlags, context: Context): Promise<void> {
  const [{ CLOVER_REGIONS, ExportClient }, profilesFile, { readSecret }] = await Promise.all([
    import('@tillroll/client'),
    import('../connection/profiles.ts'),
    import('../connection/secret.ts'),
  ]);
  const key = profilesFile.checkProfileName(name);
  const path = profilesFile.profilesPath(context.env);
  if (flags.url !== undefined && flags.region !== undefined)
    throw new UsageError('--url and --region both give the URL. Omit one of them');
  const url = flags.region === undefined ? flags.url : CLOVER_REGIONS[flags.region];
  if (url === undefined)
    throw new UsageError("missing: --url, the server's URL (or --region for Clover)");
  const connection = { url, merchant: flags.merchant };
  // The library checks URL, merchant and token: the first two before a token is typed.
  void new ExportClient({ ...connection, token: 'unused' });
  const profiles = await profilesFile.readProfiles(path);
  const { token, from } = await readSecret(context);
  context.hide(token);
  const profile = { ...connection, token };
  void new ExportClient(profile);
  const isNew = !Object.hasOwn(profiles, key);
  await profilesFile.writeProfiles(path, { ...profiles, [key]: profile });
  context.note(
    `profile ${key} ${isNew ? 'added' : 'replaced'} in ${path}, with the token from ${from}`,
  );
  if (flags.check) await checkProfile(key, profile, context);
}

/** Says whether the profile works, and for which types. It is saved in any case: the server may be down just now. */
async function checkProfile(name: string, profile: Profile, context: Context): Promise<void> {
  const [{ ExportClient }, { checkServer, DOCTOR_RETRY }, { checkLines, hasFailed }] =
    await Promise.all([
      import('@tillroll/client'),
      import('../doctor/check-server.ts'),
      import('../doctor/check.ts'),
    ]);
  const client = new ExportClient({ ...profile, wait: false, retry: DOCTOR_RETRY });
  const checks = await checkServer(client, ['ORDERS', 'PAYMENTS'], context.signal);
  for (const line of checkLines(checks)) context.stderr.write(`${line}\n`);
  if (hasFailed(checks))
    context.note(`the profile is saved. Check it again with: tillroll doctor --profile ${name}`);
}
