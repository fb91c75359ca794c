import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { DAY_MS, FAILURES, parseHours, REGION_HOURS } from '@tillroll/contract';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readConfig } from '../src/config/config.ts';
import { failuresTable } from '../src/exports/failure-guide.ts';
import { settingsHelp, settingsTable } from '../src/config/describe.ts';
import { SETTINGS } from '../src/config/settings.ts';
import { findFaults } from './config-faults.ts';

test('the defaults', () => {
  const config = readConfig({});
  expect(config).toEqual({
    databaseUrl: null,
    sourceDatabaseUrl: null,
    waitMs: 60_000,
    graceMs: 10_000,
    host: '127.0.0.1',
    port: 8080,
    dataDir: resolve('data'),
    publicUrl: null,
    region: 'sandbox',
    hours: parseHours('always'),
    storage: { kind: 'directory', path: resolve('data/files') },
    s3Redirect: false,
    maxOpenExports: 10,
    maxOpenExportsPerMerchant: 2,
    maxOpenExportsPerApp: null,
    maxUploads: 4,
    maxSpoolBytes: 10 * 1024 ** 3,
    minFreeBytes: 1024 ** 3,
    workers: 1,
    retentionMs: DAY_MS,
    historyMs: 90 * DAY_MS,
    tombstonesMs: 90 * DAY_MS,
    signingKeys: null,
    receiptKeyFiles: null,
    rateLimits: null,
    trustedProxies: [],
    maxConnections: 4096,
    maxConnectionsPerAddress: 1024,
    metricsHost: '127.0.0.1',
    metricsPort: null,
    logLevel: 'info',
  });
});

test('an empty variable counts as unset, and white space around a value is none of it', () => {
  const names = [
    'DATABASE_URL',
    'TILLROLL_WAIT',
    'TILLROLL_GRACE',
    'HOST',
    'PORT',
    'TILLROLL_DATA_DIR',
    'TILLROLL_PUBLIC_URL',
    'TILLROLL_REGION',
    'TILLROLL_HOURS',
    'TILLROLL_STORAGE_URL',
    'TILLROLL_MAX_OPEN_EXPORTS',
    'TILLROLL_MAX_OPEN_EXPORTS_PER_MERCHANT',
    'TILLROLL_MAX_OPEN_EXPORTS_PER_APP',
    'TILLROLL_WORKERS',
    'TILLROLL_RETENTION',
    'TILLROLL_EXPORT_HISTORY',
    'TILLROLL_MAX_UPLOADS',
    'TILLROLL_MAX_SPOOL',
    'TILLROLL_MIN_FREE_DISK',
    'TILLROLL_SIGNING_KEY',
    'TILLROLL_METRICS_HOST',
    'TILLROLL_METRICS_PORT',
    'TILLROLL_LOG_LEVEL',
  ];
  for (const empty of ['', '  '])
    expect(readConfig(Object.fromEntries(names.map((name) => [name, empty])))).toEqual(
      readConfig({}),
    );
  expect(readConfig({ PORT: ' 0 ' }).port).toBe(0);
});

test('every value is read', () => {
  const config = readConfig({
    DATABASE_URL: 'postgresql://user:secret@db.example:5432/tills?sslmode=require',
    TILLROLL_WAIT: '5m',
    TILLROLL_GRACE: '24h',
    HOST: '0.0.0.0',
    PORT: '65535',
    TILLROLL_DATA_DIR: '/var/lib/tillroll',
    TILLROLL_PUBLIC_URL: 'https://exports.example.com/base/',
    TILLROLL_REGION: 'eu',
    TILLROLL_STORAGE_URL: 'file:///srv/files%20of%20exports',
    TILLROLL_MAX_OPEN_EXPORTS: '100000',
    TILLROLL_MAX_OPEN_EXPORTS_PER_MERCHANT: '5',
    TILLROLL_MAX_OPEN_EXPORTS_PER_APP: '3',
    TILLROLL_WORKERS: '64',
    TILLROLL_RETENTION: '90s',
    TILLROLL_EXPORT_HISTORY: '7d',
    TILLROLL_METRICS_HOST: '0.0.0.0',
    TILLROLL_METRICS_PORT: '9464',
    TILLROLL_SIGNING_KEY: 'new-key-0123456789 , old-key-0123456789',
    TILLROLL_LOG_LEVEL: 'silent',
  });
  expect(config).toMatchObject({
    databaseUrl: 'postgresql://user:secret@db.example:5432/tills?sslmode=require',
    waitMs: 300_000,
    graceMs: DAY_MS,
    host: '0.0.0.0',
    port: 65_535,
    dataDir: '/var/lib/tillroll',
    publicUrl: 'https://exports.example.com/base',
    region: 'eu',
    hours: parseHours(REGION_HOURS.eu),
    maxOpenExports: 100_000,
    maxOpenExportsPerMerchant: 5,
    maxOpenExportsPerApp: 3,
    workers: 64,
    retentionMs: 90_000,
    historyMs: 7 * DAY_MS,
    metricsHost: '0.0.0.0',
    metricsPort: 9464,
    signingKeys: ['new-key-0123456789', 'old-key-0123456789'],
    logLevel: 'silent',
  });
  expect(config.storage).toEqual({ kind: 'directory', path: '/srv/files of exports' });
});

test('a data directory with odd characters keeps its name for the files', () => {
  const dataDir = resolve('/tmp/a b#c%20d?é');
  expect(readConfig({ TILLROLL_DATA_DIR: dataDir }).storage).toEqual({
    kind: 'directory',
    path: resolve(dataDir, 'files'),
  });
});

test('an address of S3', () => {
  const read = (url: string) => readConfig({ TILLROLL_STORAGE_URL: url }).storage;
  expect(
    read(
      's3://Bucket_1/a/b.c/?endpoint=https://s3.example.com:9000/x&region=eu-1&forcePathStyle=true',
    ),
  ).toEqual({
    kind: 's3',
    bucket: 'Bucket_1',
    prefix: 'a/b.c/',
    endpoint: 'https://s3.example.com:9000/x',
    region: 'eu-1',
    forcePathStyle: true,
  });
  expect(read('s3://bucket')).toEqual({
    kind: 's3',
    bucket: 'bucket',
    prefix: '',
    endpoint: null,
    region: null,
    forcePathStyle: false,
  });
});

describe('durations', () => {
  test.each([
    ['1000ms', 1000],
    ['1s', 1000],
    ['90s', 90_000],
    ['15m', 900_000],
    ['24h', DAY_MS],
    ['7d', 7 * DAY_MS],
    ['366d', 366 * DAY_MS],
  ])('%s', (text, ms) => {
    expect(readConfig({ TILLROLL_RETENTION: text }).retentionMs).toBe(ms);
  });

  test('in any unit, within bounds', () => {
    const units = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: DAY_MS };
    fc.assert(
      fc.property(
        fc.nat(100_000),
        fc.constantFrom(...(Object.keys(units) as (keyof typeof units)[])),
        (value, unit) => {
          const ms = value * units[unit];
          const environment = { TILLROLL_RETENTION: `${value}${unit}` };
          if (ms >= 1000 && ms <= 366 * DAY_MS)
            expect(readConfig(environment).retentionMs).toBe(ms);
          else expect(findFaults(environment)).toHaveLength(1);
        },
      ),
    );
  });
});

describe('hours', () => {
  test.each(['sandbox', 'us', 'eu'] as const)("the region's: %s", (region) => {
    expect(readConfig({ TILLROLL_REGION: region }).hours).toEqual(parseHours(REGION_HOURS[region]));
  });

  test('own hours stand in place of them', () => {
    const text = 'mon-fri 01:00-05:00; sat 22:00-02:00';
    expect(readConfig({ TILLROLL_REGION: 'us', TILLROLL_HOURS: text }).hours).toEqual(
      parseHours(text),
    );
    expect(readConfig({ TILLROLL_REGION: 'us', TILLROLL_HOURS: 'never' }).hours.spans).toEqual([]);
  });
});

describe('PUBLIC_URL', () => {
  test.each(['0.0.0.0', '::', '192.168.1.4', 'exports.example.com', '127.0.0.1.example.com'])(
    'is required on %s',
    (host) => {
      const faults = findFaults({ HOST: host });
      expect(faults).toHaveLength(1);
      expect(faults[0]).toMatch(/^TILLROLL_PUBLIC_URL: required /);
      expect(faults[0]).toContain(host);
      expect(findFaults({ HOST: host, TILLROLL_PUBLIC_URL: 'https://e.example' })).toEqual([]);
    },
  );

  test.each(['127.0.0.1', '127.1.2.3', 'localhost', '::1'])('is not on %s', (host) => {
    expect(findFaults({ HOST: host })).toEqual([]);
  });

  test.each([
    ['https://exports.example.com', 'https://exports.example.com'],
    ['https://exports.example.com///', 'https://exports.example.com'],
    ['http://10.0.0.1:8080/', 'http://10.0.0.1:8080'],
    ['HTTPS://Exports.Example.com/Base', 'https://exports.example.com/Base'],
  ])('%s', (text, url) => {
    expect(readConfig({ TILLROLL_PUBLIC_URL: text }).publicUrl).toBe(url);
  });
});

describe('secrets are never repeated', () => {
  const SECRET = 'hunter2-of-the-database';

  test.each([
    `mysql://user:${SECRET}@host/db`,
    `user:${SECRET}@host/db`,
    `postgres//user:${SECRET}@host`,
    `postgres://user:${SECRET}@host:port/db`,
    `host=db password=${SECRET}`,
    SECRET,
  ])('DATABASE_URL=%s', (text) => {
    const faults = findFaults({ DATABASE_URL: text, PORT: 'x' });
    expect(faults).toHaveLength(2);
    expect(faults.join('\n')).toContain('DATABASE_URL: must look like postgres://');
    expect(faults.join('\n')).not.toContain(SECRET);
  });

  test.each([
    'hunter2',
    'hunter2-0123456789,hunter2',
    'hunter2-0123456789,',
    ',hunter2-0123456789',
  ])('TILLROLL_SIGNING_KEY=%s', (text) => {
    const faults = findFaults({ TILLROLL_SIGNING_KEY: text });
    expect(faults).toEqual(['TILLROLL_SIGNING_KEY: each key needs at least 16 characters']);
  });
});

test('docs/operating.md has the table that the settings give', async () => {
  const docs = await readFile(join(import.meta.dirname, '../../../docs/operating.md'), 'utf8');
  expect(docs).toContain(`\n\n${settingsTable()}\n`);
});

test('docs/operating.md has the table of failures, and docs/api.md names each', async () => {
  const docs = join(import.meta.dirname, '../../../docs');
  expect(await readFile(join(docs, 'operating.md'), 'utf8')).toContain(
    `\n\n${failuresTable()}\n\n`,
  );
  const api = await readFile(join(docs, 'api.md'), 'utf8');
  for (const code of Object.keys(FAILURES)) expect(api).toContain(`\n| \`${code}\` | `);
});

test('--help names every setting', () => {
  for (const { variable, default: shown } of Object.values(SETTINGS))
    expect(settingsHelp()).toContain(`\n  ${variable} (${shown})\n`);
});
