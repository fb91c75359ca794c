import { ExportClient, type ClientOptions } from '@tillroll/client';
import type { Context } from '../context.ts';
import type { ConnectionFlags } from './flags.ts';
import { profilesPath, readProfiles } from './profiles.ts';
import { useProxy } from './proxy.ts';
import { resolveConnection, type Part } from './resolve.ts';

/** What stands for a part that a command does not need; it is never sent. */
const UNUSED = 'unused';

/** A client for what flags, environment and profile say; warnings go to stderr. */
export async function connect(
  flags: ConnectionFlags,
  context: Context,
  options: Omit<ClientOptions, 'url' | 'merchant' | 'token'> = {},
  needed?: readonly Part[],
): Promise<ExportClient> {
  for (const token of [flags.token, context.env['TILLROLL_TOKEN']]) if (token) context.hide(token);
  const readAll = () => readProfiles(profilesPath(context.env));
  const found = await resolveConnection(flags, context.env, readAll, needed);
  const { url = '', merchant = UNUSED, token = UNUSED, warnings } = found;
  if (found.token) context.hide(found.token);
  const proxyWarning = useProxy(context.env);
  for (const warning of [...warnings, proxyWarning])
    if (warning !== undefined) context.note(`warning: ${warning}`);
  return new ExportClient({ url, merchant, token, ...options });
}
