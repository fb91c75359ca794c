/** Parses the texts that settings have. Each parser throws an Error that names the text and what is allowed. */
import { isIP, SocketAddress } from 'node:net';
import { parseDatabaseUrl } from '../database/connection.ts';

/** The variables of the environment. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A network in CIDR notation, read. */
export interface Cidr {
  readonly network: string;
  /** Length in bits. */
  readonly prefix: number;
  readonly family: 'ipv4' | 'ipv6';
}

/** Most requests of one token and of one app, over all its tokens. */
export interface RateLimitSettings {
  readonly token: RateLimit;
  readonly app: RateLimit;
}

export interface RateLimit {
  readonly perSecond: number;
  readonly atOnce: number;
}

const UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

export const UNITS_BYTES = { MiB: 1024 ** 2, GiB: 1024 ** 3 } as const;

export function integer(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^[0-9]+$/.test(text) || value < min || value > max) {
      throw new Error(`"${text}" is not a whole number from ${min} to ${max}`);
    }
    return value;
  };
}

export function oneOf<T extends string>(allowed: readonly T[]): (text: string) => T {
  return (text) => {
    const found = allowed.find((value) => value === text);
    if (found === undefined) throw new Error(`"${text}" is not one of ${allowed.join(', ')}`);
    return found;
  };
}

export function boolean(text: string): boolean {
  return oneOf(['true', 'false'])(text) === 'true';
}

export function duration(text: string): number {
  const match = /^([0-9]+)(ms|s|m|h|d)$/.exec(text);
  const value = Number(match?.[1]) * (UNITS_MS[match?.[2] ?? ''] ?? Number.NaN);
  // pg-boss can delay a job for longer, but a year is surely a mistake.
  if (!(value >= 1000 && value <= 366 * 86_400_000)) {
    throw new Error(`"${text}" is not a duration from 1s to 366d such as 24h or 90s`);
  }
  return value;
}

/** A duration of a wait, which a timer can hold. */
export function waitDuration(text: string): number {
  const value = duration(text);
  if (value > 86_400_000) throw new Error(`"${text}" is longer than 24h`);
  return value;
}

export function bytes(text: string): number {
  const match = /^([0-9]{1,6})(MiB|GiB)$/.exec(text);
  if (!match) throw new Error(`"${text}" is not a size such as 512MiB or 10GiB`);
  return Number(match[1]) * UNITS_BYTES[match[2] as keyof typeof UNITS_BYTES];
}

export function publicUrl(text: string): string {
  const url = URL.parse(text);
  if (
    !url ||
    !['http:', 'https:'].includes(url.protocol) ||
    url.search ||
    url.hash ||
    url.username ||
    url.password
  ) {
    // An address with a password in it is not repeated.
    const sent = url?.password ? 'it' : `"${text}"`;
    throw new Error(`${sent} is not an address such as https://exports.example.com`);
  }
  let end = url.href.length;
  while (url.href[end - 1] === '/') end--;
  return url.href.slice(0, end);
}

/** Checked here, so that a fault is reported with all others, and read again where it is used. */
export function databaseUrl(text: string, environment: Environment): string {
  parseDatabaseUrl(text, environment);
  return text;
}

/** Comma-separated networks or single addresses. IPv4 written as IPv6 is IPv4. */
export function cidrs(text: string): Cidr[] {
  return text.split(',').map((part) => {
    const [address = '', bits, ...more] = part.trim().split('/');
    const version = isIP(address);
    const size = version === 6 ? 128 : 32;
    const prefix = bits === undefined ? size : /^[0-9]{1,3}$/.test(bits) ? Number(bits) : -1;
    if (version === 0 || more.length > 0 || prefix < 0 || prefix > size) {
      throw new Error(`"${part.trim()}" is not a network such as 10.0.0.0/8, or an address`);
    }
    if (version === 4) return { network: address, prefix, family: 'ipv4' };
    const network = new SocketAddress({ address, family: 'ipv6' }).address;
    const mapped = network.startsWith('::ffff:') ? network.slice('::ffff:'.length) : '';
    return isIP(mapped) === 4 && prefix >= 96
      ? { network: mapped, prefix: prefix - 96, family: 'ipv4' }
      : { network, prefix, family: 'ipv6' };
  });
}

export function signingKeys(text: string): string[] {
  const keys = text.split(',').map((key) => key.trim());
  if (keys.some((key) => key.length < 16)) throw new Error('each key needs at least 16 characters');
  return keys;
}

/** Paths of files, comma-separated. */
export function files(text: string): string[] {
  const paths = text.split(',').map((path) => path.trim());
  if (paths.every((path) => path !== '')) return paths;
  throw new Error(`"${text}" is not a list of files, comma-separated`);
}

/** Clover's own limits (docs.clover.com, "API usage and rate limits"). */
const CLOVER_LIMITS: RateLimitSettings = {
  token: { perSecond: 16, atOnce: 5 },
  app: { perSecond: 50, atOnce: 10 },
};

/** `clover`, or a token's and an app's requests: a second, at once. */
export function rateLimits(text: string): RateLimitSettings {
  if (text === 'clover') return CLOVER_LIMITS;
  const match = /^([0-9]{1,6})\/([0-9]{1,6}),([0-9]{1,6})\/([0-9]{1,6})$/.exec(text);
  const [tokenRate = 0, tokenAtOnce = 0, appRate = 0, appAtOnce = 0] = (match ?? [])
    .slice(1)
    .map(Number);
  if (Math.min(tokenRate, tokenAtOnce, appRate, appAtOnce) < 1)
    throw new Error(`"${text}" is not "clover", nor limits such as 16/5,50/10`);
  return {
    token: { perSecond: tokenRate, atOnce: tokenAtOnce },
    app: { perSecond: appRate, atOnce: appAtOnce },
  };
}
