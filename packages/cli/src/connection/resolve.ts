import { CLOVER_REGIONS } from '@tillroll/client';
import { UsageError } from '../exit.ts';
import type { ConnectionFlags } from './flags.ts';
import type { Profile, Profiles } from './profiles.ts';

/** The profile that is used when none is named and something is missing. */
export const DEFAULT_PROFILE = 'default';

export type Part = 'url' | 'merchant' | 'token';

export interface Resolved {
  url?: string;
  merchant?: string;
  token?: string;
  /** What the user should know, though it works. */
  warnings: string[];
}

const MEMBERS: readonly Part[] = ['url', 'merchant', 'token'];
const WAYS: Readonly<Record<Part, string>> = {
  url: 'the address (--url or TILLROLL_URL, or --region for Clover)',
  merchant: 'the merchant (--merchant or TILLROLL_MERCHANT)',
  token: 'the token (TILLROLL_TOKEN)',
};

/** Of what the environment gives; a variable that is set to nothing is not set. */
function fromEnvironment(env: NodeJS.ProcessEnv): Partial<Profile> & { profile?: string } {
  const named = {
    url: env['TILLROLL_URL'],
    merchant: env['TILLROLL_MERCHANT'],
    token: env['TILLROLL_TOKEN'],
    profile: env['TILLROLL_PROFILE'],
  };
  return Object.fromEntries(Object.entries(named).filter(([, value]) => value));
}

/** @throws UsageError */
function fromFlags(flags: ConnectionFlags): Partial<Profile> {
  if (flags.url !== undefined && flags.region !== undefined)
    throw new UsageError('--url and --region both say where; give one of them');
  const url = flags.region === undefined ? flags.url : CLOVER_REGIONS[flags.region];
  const { merchant, token } = flags;
  return {
    ...(url !== undefined && { url }),
    ...(merchant !== undefined && { merchant }),
    ...(token !== undefined && { token }),
  };
}

/** Two ways to write the same address. */
function sameAddress(one: string, other: string): boolean {
  if (!URL.canParse(one) || !URL.canParse(other)) return one === other;
  return new URL(one).href.replace(/\/+$/, '') === new URL(other).href.replace(/\/+$/, '');
}

/**
 * Flags win over the environment, and the environment over the profile. A profile's token is never
 * sent to another address than the profile's own.
 * @param readAll is called only when a profile is named or something is missing.
 * @throws UsageError naming all that is missing.
 */
export async function resolveConnection(
  flags: ConnectionFlags,
  env: NodeJS.ProcessEnv,
  readAll: () => Promise<Profiles>,
  needed: readonly Part[] = MEMBERS,
): Promise<Resolved> {
  const warnings: string[] = [];
  const given = fromFlags(flags);
  if (given.token !== undefined)
    warnings.push(
      '--token is visible to other users in ps; better set TILLROLL_TOKEN or keep a profile',
    );
  const { profile: namedByEnvironment, ...environment } = fromEnvironment(env);
  const found: Partial<Profile> = { ...environment, ...given };

  const name = flags.profile ?? namedByEnvironment;
  if (name !== undefined || needed.some((member) => found[member] === undefined)) {
    const profile = await chosenProfile(name, readAll);
    if (profile) complete(found, profile, name ?? DEFAULT_PROFILE, needed);
    if (profile && flags.profile !== undefined) warnings.push(...overruled(environment, given));
  }

  const missing = needed.filter((member) => found[member] === undefined);
  if (missing.length > 0) {
    throw new UsageError(
      `missing: ${missing.map((member) => WAYS[member]).join(', ')}; or a profile (tillroll profile add NAME, then --profile NAME)`,
    );
  }
  return { ...found, warnings };
}

async function chosenProfile(
  name: string | undefined,
  readAll: () => Promise<Profiles>,
): Promise<Profile | undefined> {
  const profiles = await readAll();
  const wanted = name ?? DEFAULT_PROFILE;
  if (Object.hasOwn(profiles, wanted)) return profiles[wanted];
  if (name === undefined) return undefined;
  const known = Object.keys(profiles);
  throw new UsageError(
    `there is no profile ${JSON.stringify(name.slice(0, 80))}; ${known.length === 0 ? 'there are none yet (tillroll profile add NAME)' : `there are ${known.join(', ')}`}`,
  );
}

/** Fills what is not yet known from the profile. */
function complete(
  found: Partial<Profile>,
  profile: Profile,
  name: string,
  needed: readonly Part[],
): void {
  found.url ??= profile.url;
  if (sameAddress(found.url, profile.url)) {
    found.merchant ??= profile.merchant;
    found.token ??= profile.token;
  } else if (found.token === undefined && needed.includes('token')) {
    throw new UsageError(
      `profile ${name} has a token for ${profile.url}, and it is not sent to ${found.url}; set TILLROLL_TOKEN, or add a profile for that address`,
    );
  }
}

/** An environment that still holds another connection would silently win over a profile named by hand. */
function overruled(environment: Partial<Profile>, given: Partial<Profile>): string[] {
  const winners = MEMBERS.filter(
    (member) => environment[member] !== undefined && given[member] === undefined,
  );
  if (winners.length === 0) return [];
  const names = winners.map((member) => `TILLROLL_${member.toUpperCase()}`);
  return [
    `${names.join(', ')} in the environment ${names.length === 1 ? 'wins' : 'win'} over the profile`,
  ];
}
