import { CLOVER_REGIONS, ExportClient } from '@tillroll/client';
import type { AddFlags } from '../commands/profile.ts';
import {
  checkedProfileName,
  profilesPath,
  readProfiles,
  writeProfiles,
} from '../connection/profiles.ts';
import { readSecret } from '../connection/secret.ts';
import type { Context } from '../context.ts';
import { UsageError } from '../exit.ts';
import { table } from '../summary/table.ts';

/** @throws UsageError */
function addressOf({ url, region }: AddFlags): string {
  if (url !== undefined && region !== undefined)
    throw new UsageError('--url and --region both say where; give one of them');
  const address = region === undefined ? url : CLOVER_REGIONS[region];
  if (address === undefined)
    throw new UsageError("missing: --url, the service's address (or --region for Clover)");
  return address;
}

/** `tillroll profile add` */
export async function add(name: string, flags: AddFlags, context: Context): Promise<void> {
  const key = checkedProfileName(name);
  const path = profilesPath(context.env);
  const connection = { url: addressOf(flags), merchant: flags.merchant };
  // What is wrong with these is said before a token is typed.
  checkedByLibrary({ ...connection, token: 'unused' });
  const profiles = await readProfiles(path);
  const { token, from } = await readSecret(context);
  context.hide(token);
  const profile = { ...connection, token };
  checkedByLibrary(profile);
  const isNew = !Object.hasOwn(profiles, key);
  await writeProfiles(path, { ...profiles, [key]: profile });
  context.note(
    `profile ${key} ${isNew ? 'added' : 'replaced'} in ${path}, with the token from ${from}`,
  );
}

/** The library knows what an address, a merchant and a token may be. @throws ExportError */
function checkedByLibrary(profile: { url: string; merchant: string; token: string }): void {
  void new ExportClient(profile);
}

/** `tillroll profile list` */
export async function list(context: Context): Promise<void> {
  const path = profilesPath(context.env);
  const profiles = Object.entries(await readProfiles(path));
  if (profiles.length === 0) return context.note(`there are no profiles in ${path}`);
  const rows = profiles.map(([name, { url, merchant }]) => [name, url, merchant]);
  for (const line of table([['NAME', 'URL', 'MERCHANT'], ...rows], []))
    context.stdout.write(`${line}\n`);
}

/** `tillroll profile remove` */
export async function remove(name: string, context: Context): Promise<void> {
  const path = profilesPath(context.env);
  const profiles = await readProfiles(path);
  if (!Object.hasOwn(profiles, name))
    throw new UsageError(`there is no profile ${JSON.stringify(name.slice(0, 80))} in ${path}`);
  const { [name]: _removed, ...rest } = profiles;
  await writeProfiles(path, rest);
  context.note(`profile ${name} removed from ${path}`);
}
