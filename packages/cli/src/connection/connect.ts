/** Makes the library's client from the flags, the environment and the profile. */
import { ExportClient, isPlainHttp, type ClientOptions, type SentRequest } from '@tillroll/client';
import type { Context } from '../context.ts';
import type { ConnectionFlags } from './flags.ts';
import { profilesPath, readProfiles } from './profiles.ts';
import { resolveConnection, type Part } from './resolve.ts';

/** Stands for a part that a command does not need. It is never sent. */
const UNUSED = 'unused';
const ALL: readonly Part[] = ['url', 'merchant', 'token'];

/** Makes a client from flags, environment and profile. Warnings go to stderr. */
export async function connect(
  flags: ConnectionFlags & { quiet?: boolean },
  context: Context,
  options: Omit<ClientOptions, 'url' | 'merchant' | 'token'> = {},
  needed: readonly Part[] = ALL,
): Promise<ExportClient> {
  for (const token of [flags.token, context.env['TILLROLL_TOKEN']]) if (token) context.hide(token);
  const readAll = () => readProfiles(profilesPath(context.env));
  const found = await resolveConnection(flags, context.env, readAll, needed);
  const { url = '', merchant = UNUSED, token = UNUSED, warnings } = found;
  if (found.token) context.hide(found.token);
  const warn = (warning: string): void => {
    if (!flags.quiet) context.note(`warning: ${warning}`);
  };
  for (const warning of warnings) warn(warning);
  const onRequest = flags.verbose
    ? (request: SentRequest) => noteRequest(context, request)
    : undefined;
  const client = new ExportClient({ url, merchant, token, onRequest, ...options });
  const address = new URL(url);
  if (needed.includes('token') && isPlainHttp(address))
    warn(
      `${address.origin} is not encrypted: others on the way can read the token and the data. Use https`,
    );
  return client;
}

/** Prints one request without its headers and its query, which may hold a key. */
function noteRequest(context: Context, { method, url, status, ms, error }: SentRequest): void {
  const outcome = status === null ? (error ?? 'no answer') : String(status);
  context.note(`${method} ${url.origin}${url.pathname} ${outcome} ${Math.round(ms)} ms`);
}
