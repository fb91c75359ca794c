import { describe, expect, test } from 'vitest';
import { readConfig } from '../src/config/config.ts';
import { findFaults } from './config-faults.ts';

/** Each variable with values that must be refused; the message names the variable and the value. */
const INTEGERS: [string, number, number][] = [
  ['TILLROLL_MAX_UPLOADS', 1, 64],
  ['PORT', 0, 65_535],
  ['TILLROLL_MAX_OPEN_EXPORTS', 1, 100_000],
  ['TILLROLL_MAX_OPEN_EXPORTS_PER_MERCHANT', 1, 100_000],
  ['TILLROLL_MAX_OPEN_EXPORTS_PER_APP', 1, 100_000],
  ['TILLROLL_WORKERS', 1, 64],
];

const BAD: [string, string[]][] = [
  ...INTEGERS.map(([name, min, max]): [string, string[]] => [
    name,
    [
      String(min - 1),
      String(max + 1),
      '1.5',
      '1e3',
      '0x10',
      'many',
      '1 2',
      '+1',
      'NaN',
      'Infinity',
    ],
  ]),
  [
    'TILLROLL_PUBLIC_URL',
    [
      'exports.example.com',
      'ftp://exports.example.com',
      'https://',
      'https://exports.example.com/?a=1',
      'https://exports.example.com/#a',
      'https://user@exports.example.com',
      '/v3',
    ],
  ],
  ['TILLROLL_REGION', ['US', 'la', 'europe', 'us,eu']],
  [
    'TILLROLL_HOURS',
    ['sometimes', 'mon', 'mon-fri 1-5', 'mon 25:00-26:00', 'xyz 01:00-02:00', 'mon 05:00-05:00'],
  ],
  ['TILLROLL_STORAGE_URL', ['/var/files', 'files', 'http://host/files', 'file://host/share']],
  [
    'TILLROLL_RETENTION',
    ['24', 'h', '1.5h', '-1h', '0s', '999ms', '367d', '24 h', '1w', '24H', '9'.repeat(400) + 'd'],
  ],
  ['TILLROLL_WAIT', ['60', '0s', '2d', '24.5h']],
  ['TILLROLL_GRACE', ['10', '500ms', '25h', '-1s']],
  ['TILLROLL_MAX_SPOOL', ['10', '10GB', '1.5GiB', '-1GiB', 'GiB', '10 GiB', '1234567MiB']],
  ['TILLROLL_MIN_FREE_DISK', ['1TiB', '0x1MiB', '1gib']],
  ['TILLROLL_LOG_LEVEL', ['verbose', 'INFO', 'off']],
];

describe.each(BAD)('%s', (name, values) => {
  test.each(values)('refuses %j', (value) => {
    const faults = findFaults({ [name]: value });
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(new RegExp(`^${name}: `));
    // Hours and storage say what is wrong in the part that is wrong.
    if (name !== 'TILLROLL_HOURS') expect(faults[0]).toContain(value);
  });
});

describe('addresses of S3', () => {
  const url = (rest: string): readonly string[] =>
    findFaults({ TILLROLL_STORAGE_URL: `s3://${rest}` });
  test.each([
    ['', '"" is not the name of a bucket'],
    ['a', '"a" is not the name of a bucket'],
    ['bucket:9000/prefix', '"bucket:9000" is not the name of a bucket'],
    ['bucket/a//b', '"a//b" is not a prefix'],
    ['bucket/a%20b', '"a%20b" is not a prefix'],
    ['bucket/../b?x', '"x" is not a parameter of s3://: endpoint, region, forcePathStyle'],
    ['bucket?endpoint=minio:9000', 'endpoint: "minio:9000" is not an address'],
    ['bucket?endpoint=http://h/?a=b', 'endpoint: "http://h/?a=b" is not an address'],
    ['bucket?region=US%20East', 'region: "US East" is not a region such as us-east-1'],
    ['bucket?forcePathStyle=yes', 'forcePathStyle: "yes" is not true or false'],
    ['bucket?region=a&region=b', '"region" is given twice'],
  ])('%s', (rest, said) => {
    expect(url(rest)).toEqual([expect.stringContaining(said)]);
  });

  test.each(['AKIA:secret@bucket', 'bucket?endpoint=http://AKIA:secret@host'])(
    'keys in an address are refused, and not repeated: %s',
    (rest) => {
      const [fault, ...more] = url(rest);
      expect(more).toEqual([]);
      expect(fault).toMatch(/^TILLROLL_STORAGE_URL: /);
      expect(fault).not.toContain('secret');
    },
  );

  test('redirects need one', () => {
    expect(findFaults({ TILLROLL_S3_REDIRECT: 'true' })).toEqual([
      'TILLROLL_S3_REDIRECT: needs an s3:// address in TILLROLL_STORAGE_URL',
    ]);
    expect(
      findFaults({ TILLROLL_S3_REDIRECT: 'true', TILLROLL_STORAGE_URL: 's3://bucket' }),
    ).toEqual([]);
  });
});

test.each(INTEGERS)('%s from %i to %i', (name, min, max) => {
  expect(findFaults({ [name]: String(min) })).toEqual([]);
  expect(findFaults({ [name]: String(max) })).toEqual([]);
});

test.each([
  ['0MiB', 0],
  ['512MiB', 512 * 1024 ** 2],
  ['10GiB', 10 * 1024 ** 3],
])('a size of %s', (text, size) => {
  expect(readConfig({ TILLROLL_MAX_SPOOL: text }).maxSpoolBytes).toBe(size);
  expect(readConfig({ TILLROLL_MIN_FREE_DISK: text }).minFreeBytes).toBe(size);
});

test('every fault is reported at once', () => {
  const environment = Object.fromEntries(BAD.map(([name, [value = '']]) => [name, value]));
  const faults = findFaults({
    ...environment,
    DATABASE_URL: 'mysql://host/db',
    TILLROLL_SIGNING_KEY: 'short',
  });
  expect(faults.map((fault) => fault.slice(0, fault.indexOf(':'))).toSorted()).toEqual(
    [...Object.keys(environment), 'DATABASE_URL', 'TILLROLL_SIGNING_KEY'].toSorted(),
  );
  try {
    readConfig(environment);
    expect.unreachable();
  } catch (error) {
    expect((error as Error).message.split('\n')).toHaveLength(BAD.length);
  }
});
