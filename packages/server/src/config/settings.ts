/** All settings of the service: variable, default, help text and parser of each. */
import { join, resolve } from 'node:path';
import { parseHours, REGION_HOURS, REGIONS } from '@tillroll/contract';
import {
  boolean,
  bytes,
  cidrs,
  databaseUrl,
  duration,
  files,
  integer,
  oneOf,
  publicUrl,
  rateLimits,
  signingKeys,
  UNITS_BYTES,
  waitDuration,
} from './parsers.ts';
import { parseStorageUrl } from '../storage/address.ts';
import type { Config, Setting } from './model.ts';

export type { Config, Setting };

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
  waitMs: {
    variable: 'TILLROLL_WAIT',
    default: '60s',
    summary: 'how long a start waits for the database',
    description:
      'how long a start waits for a database that cannot be reached. See [Start and stop](#start-and-stop)',
    parse: waitDuration,
    unset: () => 60_000,
  },
  graceMs: {
    variable: 'TILLROLL_GRACE',
    default: '10s',
    summary: 'how long running exports, downloads and uploads may continue after SIGTERM',
    description:
      'how long running exports, downloads and uploads may continue after SIGTERM or SIGINT. See [Start and stop](#start-and-stop)',
    parse: waitDuration,
    unset: () => 10_000,
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
  tombstonesMs: {
    variable: 'TILLROLL_TOMBSTONE_RETENTION',
    default: '90d',
    summary: 'how long deletions are told',
    description:
      'how long an export of changes tells that an object was deleted. A cursor that is older than the last deletion that is forgotten must begin again',
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
  receiptKeyFiles: {
    variable: 'TILLROLL_RECEIPT_KEYS',
    default: 'keys kept in the database',
    summary: 'new.pem,old.pem: files of the keys that sign receipts',
    description:
      '`new.pem,old.pem`: files of Ed25519 keys (`openssl genpkey -algorithm ed25519`). The first signs [receipts](api.md#receipts); all are published in `/.well-known/jwks.json`. Keep the old ones, at least their public keys: receipts live for years',
    parse: files,
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
  rateLimits: {
    variable: 'TILLROLL_RATE_LIMITS',
    default: 'none',
    summary: 'clover, or 16/5,50/10: requests of a token and an app',
    description:
      '`clover`: 16 requests a second and 5 at once of a token, 50 and 10 of an app over all its tokens; above it 429. `16/5,50/10`: other figures. See [the API](api.md#rate-limits)',
    parse: rateLimits,
    unset: () => null,
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
  metricsHost: {
    variable: 'TILLROLL_METRICS_HOST',
    default: '127.0.0.1',
    summary: 'the address to listen on for /metrics',
    description: 'the address on which TILLROLL_METRICS_PORT listens',
    parse: text,
    unset: () => '127.0.0.1',
  },
  metricsPort: {
    variable: 'TILLROLL_METRICS_PORT',
    default: 'none',
    summary: 'a port for /metrics, /health and /ready, of every role',
    description:
      'a port for `/metrics`, `/health` and `/ready`, of every role; 0 picks a free one, which the log names. See [Monitoring](#monitoring)',
    parse: integer(0, 65_535),
    unset: () => null,
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
