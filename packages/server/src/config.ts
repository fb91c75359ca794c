import { isIP, SocketAddress } from 'node:net';
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseHours, REGION_HOURS, REGIONS, type Hours, type Region } from '@tillroll/contract';
import { parseDatabaseUrl } from './database/connection.ts';

/** The service's settings, typed and checked. Times are milliseconds. */
export interface Config {
  /** Null: start an own PostgreSQL in `dataDir`. */
  readonly databaseUrl: string | null;
  readonly host: string;
  /** 0 picks a free port. */
  readonly port: number;
  readonly dataDir: string;
  /** Where clients reach this service, without a trailing slash. Null: the address it listens on. */
  readonly publicUrl: string | null;
  readonly region: Region;
  readonly hours: Hours;
  readonly storageUrl: URL;
  /** PENDING and IN_PROGRESS together, over all merchants. */
  readonly maxOpenExports: number;
  readonly maxOpenExportsPerMerchant: number;
  /** Over all merchants. Null: half of `maxOpenExports` while more than one app is installed. */
  readonly maxOpenExportsPerApp: number | null;
  /** Exports that this process runs at once. */
  readonly workers: number;
  readonly retentionMs: number;
  /** How long the record of an export is kept after its end. */
  readonly historyMs: number;
  /** Uploads that this process reads at once. */
  readonly maxUploads: number;
  /** Bytes that uploads may hold in `dataDir` at once while they are checked. */
  readonly maxSpoolBytes: number;
  /** Free bytes on the disk of `dataDir` below which nothing is loaded. */
  readonly minFreeBytes: number;
  /** Newest first; null: one key made once and kept in the database. */
  readonly signingKeys: readonly string[] | null;
  /** Peers whose `X-Forwarded-For` counts. */
  readonly trustedProxies: readonly Cidr[];
  /** Open connections in all. */
  readonly maxConnections: number;
  /** Open connections, and requests under way, of one client address. */
  readonly maxConnectionsPerAddress: number;
  readonly logLevel: string;
}

/** A network in CIDR notation, read. */
export interface Cidr {
  readonly network: string;
  /** Length in bits. */
  readonly prefix: number;
  readonly family: 'ipv4' | 'ipv6';
}

/** Every fault of the environment at once, one a line. */
export class ConfigError extends Error {
  override name = 'ConfigError';
  readonly faults: readonly string[];
  constructor(faults: readonly string[]) {
    super(faults.join('\n'));
    this.faults = faults;
  }
}

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'];
const LOOPBACK = /^(localhost|127(\.[0-9]{1,3}){3}|::1)$/;
const UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

const UNITS_BYTES = { MiB: 1024 ** 2, GiB: 1024 ** 3 } as const;

type Environment = Readonly<Record<string, string | undefined>>;

/** Reads one variable at a time and collects what is wrong with it. An empty variable counts as unset. */
class Reader {
  readonly faults: string[] = [];
  readonly #environment: Environment;
  constructor(environment: Environment) {
    this.#environment = environment;
  }

  read<T>(name: string, unset: T, parse: (text: string) => T): T {
    const text = this.#environment[name];
    if (text === undefined || text.trim() === '') return unset;
    try {
      return parse(text.trim());
    } catch (error) {
      this.faults.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
      return unset;
    }
  }
}

function integer(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^[0-9]+$/.test(text) || value < min || value > max) {
      throw new Error(`"${text}" is not a whole number from ${min} to ${max}`);
    }
    return value;
  };
}

function oneOf<T extends string>(allowed: readonly T[]): (text: string) => T {
  return (text) => {
    const found = allowed.find((value) => value === text);
    if (found === undefined) throw new Error(`"${text}" is not one of ${allowed.join(', ')}`);
    return found;
  };
}

function duration(text: string): number {
  const match = /^([0-9]+)(ms|s|m|h|d)$/.exec(text);
  const value = Number(match?.[1]) * (UNITS_MS[match?.[2] ?? ''] ?? Number.NaN);
  // pg-boss can delay a job for longer, but a year is surely a slip of the pen.
  if (!(value >= 1000 && value <= 366 * 86_400_000)) {
    throw new Error(`"${text}" is not a duration from 1s to 366d such as 24h or 90s`);
  }
  return value;
}

function bytes(text: string): number {
  const match = /^([0-9]{1,6})(MiB|GiB)$/.exec(text);
  if (!match) throw new Error(`"${text}" is not a size such as 512MiB or 10GiB`);
  return Number(match[1]) * UNITS_BYTES[match[2] as keyof typeof UNITS_BYTES];
}

function publicUrl(text: string): string {
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

function storageUrl(text: string): URL {
  const url = URL.parse(text);
  if (url?.protocol === 'file:' && (url.host === '' || url.host === 'localhost')) {
    // Throws for what is not a path, such as an encoded slash.
    fileURLToPath(url);
    return url;
  }
  if (url?.protocol === 's3:') throw new Error('s3:// is not built yet; use file:///a/directory');
  throw new Error(`"${text}" is not an address such as file:///var/lib/tillroll/files`);
}

/** Checked here, so that a fault is reported with all others, and read again where it is used. */
function databaseUrl(environment: Environment): (text: string) => string {
  return (text) => {
    parseDatabaseUrl(text, environment);
    return text;
  };
}

/** Comma-separated networks or single addresses. IPv4 written as IPv6 is IPv4. */
function cidrs(text: string): Cidr[] {
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

function signingKeys(text: string): string[] {
  const keys = text.split(',').map((key) => key.trim());
  if (keys.some((key) => key.length < 16)) throw new Error('each key needs at least 16 characters');
  return keys;
}

/**
 * Environment to typed config.
 * @throws ConfigError with every fault at once.
 */
export function readConfig(environment: Environment): Config {
  const reader = new Reader(environment);
  const dataDir = resolve(reader.read('TILLROLL_DATA_DIR', './data', (text) => text));
  const region = reader.read('TILLROLL_REGION', 'sandbox' as Region, oneOf(REGIONS));
  const host = reader.read('HOST', '127.0.0.1', (text) => text);
  const config: Config = {
    databaseUrl: reader.read<string | null>('DATABASE_URL', null, databaseUrl(environment)),
    host,
    port: reader.read('PORT', 8080, integer(0, 65_535)),
    dataDir,
    publicUrl: reader.read<string | null>('TILLROLL_PUBLIC_URL', null, publicUrl),
    region,
    hours: reader.read('TILLROLL_HOURS', parseHours(REGION_HOURS[region]), parseHours),
    storageUrl: reader.read('TILLROLL_STORAGE_URL', pathToFileURL(`${dataDir}/files/`), storageUrl),
    maxOpenExports: reader.read('TILLROLL_MAX_OPEN_EXPORTS', 10, integer(1, 100_000)),
    maxOpenExportsPerMerchant: reader.read(
      'TILLROLL_MAX_OPEN_EXPORTS_PER_MERCHANT',
      2,
      integer(1, 100_000),
    ),
    maxOpenExportsPerApp: reader.read<number | null>(
      'TILLROLL_MAX_OPEN_EXPORTS_PER_APP',
      null,
      integer(1, 100_000),
    ),
    workers: reader.read('TILLROLL_WORKERS', 1, integer(1, 64)),
    retentionMs: reader.read('TILLROLL_RETENTION', 86_400_000, duration),
    historyMs: reader.read('TILLROLL_EXPORT_HISTORY', 90 * 86_400_000, duration),
    maxUploads: reader.read('TILLROLL_MAX_UPLOADS', 4, integer(1, 64)),
    maxSpoolBytes: reader.read('TILLROLL_MAX_SPOOL', 10 * UNITS_BYTES.GiB, bytes),
    minFreeBytes: reader.read('TILLROLL_MIN_FREE_DISK', UNITS_BYTES.GiB, bytes),
    signingKeys: reader.read<string[] | null>('TILLROLL_SIGNING_KEY', null, signingKeys),
    trustedProxies: reader.read<Cidr[]>('TILLROLL_TRUSTED_PROXIES', [], cidrs),
    maxConnections: reader.read('TILLROLL_MAX_CONNECTIONS', 4096, integer(1, 1_000_000)),
    maxConnectionsPerAddress: reader.read(
      'TILLROLL_MAX_CONNECTIONS_PER_ADDRESS',
      1024,
      integer(1, 1_000_000),
    ),
    logLevel: reader.read('TILLROLL_LOG_LEVEL', 'info', oneOf(LOG_LEVELS)),
  };
  if (config.publicUrl === null && !LOOPBACK.test(host)) {
    reader.faults.push(
      `TILLROLL_PUBLIC_URL: required when HOST (${host}) is not loopback: say where clients reach this service, as in https://exports.example.com`,
    );
  }
  if (reader.faults.length > 0) throw new ConfigError(reader.faults);
  return config;
}

/** The directory of a `file:` storage address. */
export function storageDirectory(config: Config): string {
  return fileURLToPath(config.storageUrl);
}
