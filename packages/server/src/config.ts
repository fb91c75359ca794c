import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseHours, REGION_HOURS, REGIONS, type Hours, type Region } from '@tillroll/contract';

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
  /** Exports that this process runs at once. */
  readonly workers: number;
  readonly retentionMs: number;
  /** Uploads that this process reads at once. */
  readonly maxUploads: number;
  /** Bytes that uploads may hold in `dataDir` at once while they are checked. */
  readonly maxSpoolBytes: number;
  /** Free bytes on the disk of `dataDir` below which nothing is loaded. */
  readonly minFreeBytes: number;
  /** Newest first; null: one key made once and kept in the database. */
  readonly signingKeys: readonly string[] | null;
  readonly logLevel: string;
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
    throw new Error(`"${text}" is no duration from 1s to 366d such as 24h or 90s`);
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
    throw new Error(`${sent} is no address such as https://exports.example.com`);
  }
  return url.href.replace(/\/+$/, '');
}

function storageUrl(text: string): URL {
  const url = URL.parse(text);
  if (url?.protocol === 'file:' && (url.host === '' || url.host === 'localhost')) {
    // Throws for what is no path, such as an encoded slash.
    fileURLToPath(url);
    return url;
  }
  if (url?.protocol === 's3:') throw new Error('s3:// is not built yet; use file:///a/directory');
  throw new Error(`"${text}" is no address such as file:///var/lib/tillroll/files`);
}

function databaseUrl(text: string): string {
  // PostgreSQL writes a Unix socket as `user:password@/database?host=/directory`. To the URL standard a
  // user without a host is a fault; named here, the host of the query still decides.
  const named = URL.canParse(text) ? text : text.replace('@/', '@localhost/');
  // The text is not repeated: it holds a password.
  if (!['postgres:', 'postgresql:'].includes(URL.parse(named)?.protocol ?? '')) {
    throw new Error('must look like postgres://user:password@host:5432/database');
  }
  return named;
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
    databaseUrl: reader.read<string | null>('DATABASE_URL', null, databaseUrl),
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
    workers: reader.read('TILLROLL_WORKERS', 1, integer(1, 64)),
    retentionMs: reader.read('TILLROLL_RETENTION', 86_400_000, duration),
    maxUploads: reader.read('TILLROLL_MAX_UPLOADS', 4, integer(1, 64)),
    maxSpoolBytes: reader.read('TILLROLL_MAX_SPOOL', 10 * UNITS_BYTES.GiB, bytes),
    minFreeBytes: reader.read('TILLROLL_MIN_FREE_DISK', UNITS_BYTES.GiB, bytes),
    signingKeys: reader.read<string[] | null>('TILLROLL_SIGNING_KEY', null, signingKeys),
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
