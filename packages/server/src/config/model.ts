/** The types of the settings. */
import type { Hours, Region } from '@tillroll/contract';
import type { StorageAddress } from '../storage/address.ts';
import type { Cidr, Environment, RateLimitSettings } from './parsers.ts';

/** The service's settings, typed and checked. Times are milliseconds. */
export interface Config {
  /** Null: start an embedded PostgreSQL in `dataDir`. */
  readonly databaseUrl: string | null;
  /** The database from which exports are read; null: in the same database. */
  readonly sourceDatabaseUrl: string | null;
  /** Longest wait for the database at start. */
  readonly waitMs: number;
  /** Time that running exports and requests may continue once the service stops. */
  readonly graceMs: number;
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
  /** The time for which exports of changes tell of deletions. */
  readonly tombstonesMs: number;
  /** Uploads that this process reads at once. */
  readonly maxUploads: number;
  /** Bytes that uploads may hold in `dataDir` at once while they are checked. */
  readonly maxSpoolBytes: number;
  /** Free bytes on the disk of `dataDir` below which nothing is loaded. */
  readonly minFreeBytes: number;
  /** Newest first; null: one key made once and kept in the database. */
  readonly signingKeys: readonly string[] | null;
  /** Files of the keys that sign receipts, the one that signs first; null: keys made once and kept in the database. */
  readonly receiptKeyFiles: readonly string[] | null;
  /** Peers whose `X-Forwarded-For` counts. */
  readonly trustedProxies: readonly Cidr[];
  /** Null: requests are not limited by their number. */
  readonly rateLimits: RateLimitSettings | null;
  /** Open connections in all. */
  readonly maxConnections: number;
  /** Open connections, and requests under way, of one client address. */
  readonly maxConnectionsPerAddress: number;
  /** Address and port of `/metrics`; a port of null: it is not served, 0: a free one. */
  readonly metricsHost: string;
  readonly metricsPort: number | null;
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
