/** Decides which server, merchant and token a command uses, and where each comes from. */
import { CLOVER_REGIONS } from '@tillroll/client';
import { quoted, UsageError } from '../exit.ts';
import type { ConnectionFlags } from './flags.ts';
import type { Profile, Profiles } from './profiles.ts';

/** The profile that is used when none is named and something is missing. */
export const DEFAULT_PROFILE = 'default';

export type Part = 'url' | 'merchant' | 'token';

export interface Resolved {
  url?: string;
  merchant?: string;
  token?: string;
  /** Doubts about a connection that can be used. */
  warnings: string[];
}

const MEMBERS: readonly Part[] = ['url', 'merchant', 'token'];
const SOURCES: Readonly<Record<Part, string>> = {
  url: 'the URL (--url or TILLROLL_URL, or --region for Clover)',
  merchant: 'the merchant (--merchant or TILLROLL_MERCHANT)',
  token: 'the token (TILLROLL_TOKEN)',
};

/** Reads the environment. An empty variable counts as not set. */
function readEnvironment(env: NodeJS.ProcessEnv): Partial<Profile> & { profile?: string } {
  const named = {
    url: env['TILLROLL_URL'],
    merchant: env['TILLROLL_MERCHANT'],
    token: env['TILLROLL_TOKEN'],
    profile: env['TILLROLL_PROFILE'],
  };
  return Object.fromEntries(Object.entries(named).filter(([, value]) => value));
}

/** @throws UsageError */
function readFlags(flags: ConnectionFlags): Partial<Profile> {
  if (flags.url !== undefined && flags.region !== undefined)
    throw new UsageError('--url and --region both give the URL. Omit one of them');
  const url = flags.region === undefined ? flags.url : CLOVER_REGIONS[flags.region];
  const { merchant, token } = flags;
  return {
    ...(url !== undefined && { url }),
    ...(merchant !== undefined && { merchant }),
    ...(token !== undefined && { token }),
  };
}

/** Compares URLs, which can be written in several ways. */
function isSameUrl(one: string, other: string): boolean {
  if (!URL.canParse(one) || !URL.canParse(other)) return one === other;
  return new URL(one).href.replace(/\/+$/, '') === new URL(other).href.replace(/\/+$/, '');
}

/**
 * Finds URL, merchant and token: flags win over the environment, and the environment over the profile.
 * A profile's token is never sent to a URL other than the profile's own.
 * @param readAll is called only when a profile is named or something is missing.
 * @throws UsageError naming everything that is missing.
 */
export async function resolveConnection(
  flags: ConnectionFlags,
  env: NodeJS.ProcessEnv,
  readAll: () => Promise<Profiles>,
  needed: readonly Part[] = MEMBERS,
): Promise<Resolved> {
  const warnings: string[] = [];
  const given = readFlags(flags);
  if (given.token !== undefined)
    warnings.push(
      '--token is visible to other users in ps. Set TILLROLL_TOKEN instead, or add a profile',
    );
  const { profile: namedByEnvironment, ...environment } = readEnvironment(env);
  const found: Partial<Profile> = { ...environment, ...given };

  const name = flags.profile ?? namedByEnvironment;
  if (name !== undefined || needed.some((member) => found[member] === undefined)) {
    const profile = await findProfile(name, readAll);
    if (profile) fillFrom(found, profile, name ?? DEFAULT_PROFILE, needed);
    if (profile && flags.profile !== undefined)
      warnings.push(...warnOfEnvironment(environment, given));
  }

  const missing = needed.filter((member) => found[member] === undefined);
  if (missing.length > 0) {
    throw new UsageError(
      `missing: ${missing.map((member) => SOURCES[member]).join(', ')}; or use a profile (tillroll profile add NAME, then --profile NAME)`,
    );
  }
  return { ...found, warnings };
}

async function findProfile(
  name: string | undefined,
  readAll: () => Promise<Profiles>,
): Promise<Profile | undefined> {
  const profiles = await readAll();
  const wanted = name ?? DEFAULT_PROFILE;
  if (Object.hasOwn(profiles, wanted)) return profiles[wanted];
  if (name === undefined) return undefined;
  const known = Object.keys(profiles);
  throw new UsageError(
    `there is no profile ${quoted(name)}; ${known.length === 0 ? 'there are none yet (tillroll profile add NAME)' : `there are ${known.join(', ')}`}`,
  );
}

/** Adds what is missing from the profile. */
function fillFrom(
  found: Partial<Profile>,
  profile: Profile,
  name: string,
  needed: readonly Part[],
): void {
  found.url ??= profile.url;
  if (isSameUrl(found.url, profile.url)) {
    found.merchant ??= profile.merchant;
    found.token ??= profile.token;
  } else if (found.token === undefined && needed.includes('token')) {
    throw new UsageError(
      `the token of profile ${name} is for ${profile.url}, and is not sent to ${found.url}. Set TILLROLL_TOKEN, or add a profile for that URL`,
    );
  }
}

/** Warns when the environment wins over a profile that was named: it may hold another connection. */
function warnOfEnvironment(environment: Partial<Profile>, given: Partial<Profile>): string[] {
  const winners = MEMBERS.filter(
    (member) => environment[member] !== undefined && given[member] === undefined,
  );
  if (winners.length === 0) return [];
  const names = winners.map((member) => `TILLROLL_${member.toUpperCase()}`);
  return [
    `${names.join(', ')} in the environment ${names.length === 1 ? 'wins' : 'win'} over the profile`,
  ];
}
