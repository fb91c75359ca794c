/** All settings of the service: variable, default, help text and parser of each. */
import { join, resolve } from 'node:path';
import { parseHours, REGION_HOURS, REGIONS, type Hours, type Region } from '@tillroll/contract';
import {
  boolean,
  bytes,
  cidrs,
  databaseUrl,
  duration,
  integer,
  oneOf,
  publicUrl,
  signingKeys,
  UNITS_BYTES,
  type Cidr,
  type Environment,
} from './parsers.ts';
import { parseStorageUrl, type StorageAddress } from '../storage/address.ts';

/** The service's settings, typed and checked. Times are milliseconds. */
export interface Config {
  /** Null: start an embedded PostgreSQL in `dataDir`. */
  readonly databaseUrl: string | null;
  /** Where exports are read; null: in the same database. */
  readonly sourceDatabaseUrl: string | null;
  readonly host: string;
  /** 0 picks a free port. */
  readonly port: number;
  readonly dataDir: string;
  /** Address at which clients reach this service, without a trailing slash. Null: the address it listens on. */
  readonly publicUrl: string | null;
  readonly region: Region;
  readonly hours: Hours;
  readonly storage: StorageAddress;
  /** Send downloads to the store itself, by a signed URL. */
  readonly s3Redirect: boolean;
  /** PENDING and IN_PROGRESS together, over all merchants. */
  readonly maxOpenExports: number;
  readonly maxOpenExportsPerMerchant: number;
  /** Over all merchants. Null: half of `maxOpenExports` while more than one app is installed. */
  readonly maxOpenExportsPerApp: number | null;
  /** Exports that this process runs at once. */
  readonly workers: number;
  readonly retentionMs: number;
  /** Time that the record of an export is kept after its end. */
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

/** One setting: all that is said of it, and how it is read, is here. */
export interface Setting<T> {
  /** Name of the environment variable. */
  variable: string;
  /** The default as `--help` and docs/operating.md show it. */
  default: string;
  /** A few words for `--help`, without the default. */
  summary: string;
  /** Markdown for docs/operating.md. */
  description: string;
  /** @throws Error that names the text and what is allowed. */
  parse: (text: string, environment: Environment) => T;
  /** The value when the variable is not set. @param known the settings before this one. */
  unset: (known: Partial<Config>) => T;
}

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'];
const DAY_MS = 86_400_000;
const text = (value: string): string => value;

/** Every setting. Validation, `--help` and the table in docs/operating.md follow from it. */
export const SETTINGS: { readonly [K in keyof Config]: Setting<Config[K]> } = {
  databaseUrl: {
    variable: 'DATABASE_URL',
    default: 'an embedded PostgreSQL in TILLROLL_DATA_DIR',
    summary: 'postgres://...',
    description:
      '`postgres://user:password@host:5432/database`, PostgreSQL 14 or newer, encoding UTF8. See [An outside PostgreSQL](#an-outside-postgresql)',
    parse: databaseUrl,
    unset: () => null,
  },
  sourceDatabaseUrl: {
    variable: 'TILLROLL_SOURCE_DATABASE_URL',
    default: 'the same database',
    summary: 'postgres://...: a standby, or another database, that exports are read from',
    description:
      'where exports read orders and payments: a standby of `DATABASE_URL`, or another database. See [Exports from another database](#exports-from-another-database)',
    parse: databaseUrl,
    unset: () => null,
  },
  host: {
    variable: 'HOST',
    default: '127.0.0.1',
    summary: 'the address to listen on',
    description: 'the address to listen on; `localhost` is 127.0.0.1',
    parse: text,
    unset: () => '127.0.0.1',
  },
  port: {
    variable: 'PORT',
    default: '8080',
    summary: 'the port to listen on; 0 picks a free one',
    description: 'the port to listen on; 0 picks a free one',
    parse: integer(0, 65_535),
    unset: () => 8080,
  },
  dataDir: {
    variable: 'TILLROLL_DATA_DIR',
    default: './data',
    summary: 'the embedded PostgreSQL, files, spooled uploads',
    description: 'the embedded PostgreSQL, the files, spooled uploads',
    parse: (path) => resolve(path),
    unset: () => resolve('./data'),
  },
  publicUrl: {
    variable: 'TILLROLL_PUBLIC_URL',
    default: 'the address it listens on',
    summary: 'where clients reach the service; required unless HOST is loopback',
    description:
      'where clients reach it: the start of every file URL. Required unless `HOST` is loopback; `X-Forwarded-Host` and the like are ignored. With `https://`, answers carry `Strict-Transport-Security`',
    parse: publicUrl,
    unset: () => null,
  },
  region: {
    variable: 'TILLROLL_REGION',
    default: 'sandbox',
    summary: 'sandbox, us or eu: the hours in which exports can be created',
    description: '`sandbox`, `us`, `eu`: the hours in which exports can be created',
    parse: oneOf(REGIONS),
    unset: () => 'sandbox',
  },
  hours: {
    variable: 'TILLROLL_HOURS',
    default: "the region's",
    summary: 'own hours in UTC, such as "mon-fri 01:00-05:00; sat 22:00-02:00", always, never',
    description:
      '`mon-fri 01:00-05:00; sat 22:00-02:00`, `daily 10:00-15:00`, `always`, `never`; UTC',
    parse: parseHours,
    unset: ({ region = 'sandbox' }) => parseHours(REGION_HOURS[region]),
  },
  storage: {
    variable: 'TILLROLL_STORAGE_URL',
    default: 'files in TILLROLL_DATA_DIR',
    summary: 'file:///directory or s3://bucket/prefix?endpoint=...: where export files are',
    description:
      '`file:///a/directory`, or `s3://bucket/prefix?endpoint=https://s3.example.com&region=us-east-1&forcePathStyle=true`. See [The store](#the-store)',
    parse: parseStorageUrl,
    unset: ({ dataDir = '' }) => ({ kind: 'directory', path: join(dataDir, 'files') }),
  },
  s3Redirect: {
    variable: 'TILLROLL_S3_REDIRECT',
    default: 'false',
    summary: 'true: clients download from the S3 server itself, where they can',
    description:
      '`true`: a download is redirected to the S3 server, which clients must be able to reach. See [The store](#the-store)',
    parse: boolean,
    unset: () => false,
  },
  maxOpenExports: {
    variable: 'TILLROLL_MAX_OPEN_EXPORTS',
    default: '10',
    summary: 'PENDING and IN_PROGRESS exports, over all merchants',
    description:
      'PENDING and IN_PROGRESS over all merchants; above it 503. Exact, whatever the number of processes',
    parse: integer(1, 100_000),
    unset: () => 10,
  },
  maxOpenExportsPerMerchant: {
    variable: 'TILLROLL_MAX_OPEN_EXPORTS_PER_MERCHANT',
    default: '2',
    summary: 'of one merchant',
    description: 'the same of one merchant, over all its apps',
    parse: integer(1, 100_000),
    unset: () => 2,
  },
  maxOpenExportsPerApp: {
    variable: 'TILLROLL_MAX_OPEN_EXPORTS_PER_APP',
    default: 'half of all while more than one app is installed',
    summary: 'of one app, over all its merchants',
    description:
      'the same of one app, over all its merchants. By default half of `TILLROLL_MAX_OPEN_EXPORTS`, rounded up, while more than one app is installed, else all',
    parse: integer(1, 100_000),
    unset: () => null,
  },
  workers: {
    variable: 'TILLROLL_WORKERS',
    default: '1',
    summary: 'exports at once in this process',
    description: 'exports at once in this process',
    parse: integer(1, 64),
    unset: () => 1,
  },
  retentionMs: {
    variable: 'TILLROLL_RETENTION',
    default: '24h',
    summary: 'how long files can be downloaded',
    description: 'how long files can be downloaded (`90s`, `7d`)',
    parse: duration,
    unset: () => DAY_MS,
  },
  historyMs: {
    variable: 'TILLROLL_EXPORT_HISTORY',
    default: '90d',
    summary: 'how long exports are listed after their end',
    description:
      'how long an export is listed and can be read after its end. Then its record is deleted; open exports and files that can still be downloaded are not touched',
    parse: duration,
    unset: () => 90 * DAY_MS,
  },
  maxUploads: {
    variable: 'TILLROLL_MAX_UPLOADS',
    default: '4',
    summary: 'uploads that this process reads at once',
    description:
      'uploads that this process reads at once, each on a thread of its own ([limits](limits.md))',
    parse: integer(1, 64),
    unset: () => 4,
  },
  maxSpoolBytes: {
    variable: 'TILLROLL_MAX_SPOOL',
    default: '10GiB',
    summary: 'what they may hold in TILLROLL_DATA_DIR while they are checked',
    description: 'what they may hold in the data directory while they are checked (`MiB`, `GiB`)',
    parse: bytes,
    unset: () => 10 * UNITS_BYTES.GiB,
  },
  minFreeBytes: {
    variable: 'TILLROLL_MIN_FREE_DISK',
    default: '1GiB',
    summary: 'free space of a disk below which nothing is loaded or exported to it',
    description:
      'free space below which nothing is loaded, on the disk of the data directory, and no export is written, on the disk of a store that is a directory',
    parse: bytes,
    unset: () => UNITS_BYTES.GiB,
  },
  signingKeys: {
    variable: 'TILLROLL_SIGNING_KEY',
    default: 'a key kept in the database',
    summary: 'new,old: keys that sign file URLs',
    description:
      '`new,old`: the first signs file URLs, all verify. Keep the old one for as long as the retention',
    parse: signingKeys,
    unset: () => null,
  },
  trustedProxies: {
    variable: 'TILLROLL_TRUSTED_PROXIES',
    default: 'none',
    summary: '10.0.0.0/8,...: peers whose X-Forwarded-For counts',
    description:
      'networks or addresses, comma-separated (`10.0.0.0/8, 2001:db8::/32`), of the proxies in front: their `X-Forwarded-For` says who the client is. See [limits](limits.md)',
    parse: cidrs,
    unset: () => [],
  },
  maxConnections: {
    variable: 'TILLROLL_MAX_CONNECTIONS',
    default: '4096',
    summary: 'open connections; above it 503',
    description: 'open connections in all; above it 503',
    parse: integer(1, 1_000_000),
    unset: () => 4096,
  },
  maxConnectionsPerAddress: {
    variable: 'TILLROLL_MAX_CONNECTIONS_PER_ADDRESS',
    default: '1024',
    summary: 'of one client address; also requests under way',
    description: 'open connections, and requests under way, of one client address; above it 503',
    parse: integer(1, 1_000_000),
    unset: () => 1024,
  },
  logLevel: {
    variable: 'TILLROLL_LOG_LEVEL',
    default: 'info',
    summary: 'how much is logged',
    description: '`fatal` `error` `warn` `info` `debug` `trace` `silent`',
    parse: oneOf(LOG_LEVELS),
    unset: () => 'info',
  },
};
