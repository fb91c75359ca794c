import {
  EXPORT_STATUSES,
  EXPORT_TYPES,
  FAILURES,
  type ExportFile,
  type ExportObject,
  type FailureCode,
} from '@tillroll/contract';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isAvailable, toExportObject, type ExportWithFiles } from '../src/exports/record.ts';

const UNTIL = 1_790_000_000_000;
const FILES: ExportFile[] = [
  { objects: 1000, bytes: 1_370_000, sha256: 'a'.repeat(64) },
  { objects: 7, bytes: 9000, sha256: 'b'.repeat(64) },
];

const PENDING: ExportWithFiles = {
  id: '0123456789ABC',
  merchantId: 'MERCHANT_1',
  appId: 'APP_1',
  type: 'ORDERS',
  status: 'PENDING',
  percentComplete: 0,
  startTime: 1000,
  endTime: 2000,
  createdTime: 3000,
  modifiedTime: 4000,
  availableUntil: null,
  attempt: 0,
  failureCode: null,
  filesDeleted: false,
  format: 'json',
  objectsPerFile: 1000,
  snapshotTime: null,
  sinceNumber: null,
  cursor: null,
  totals: null,
  files: [],
  now: UNTIL - 1,
};
const DONE: ExportWithFiles = {
  ...PENDING,
  status: 'DONE',
  percentComplete: 100,
  availableUntil: UNTIL,
  attempt: 2,
  files: FILES,
};

function show(record: ExportWithFiles): ExportObject {
  const urls = (record.files ?? []).map((_, n) => `http://host/${n}?expires=${UNTIL}`);
  return toExportObject(record, urls);
}

function raw(record: ExportWithFiles): string {
  return JSON.stringify(show(record));
}

describe('the text of an export', () => {
  test.each([
    ['PENDING', PENDING],
    ['IN_PROGRESS', { ...PENDING, status: 'IN_PROGRESS', percentComplete: 40, attempt: 1 }],
    ['CANCELED', { ...PENDING, status: 'CANCELED', percentComplete: 40, attempt: 1 }],
  ] as [string, ExportWithFiles][])('%s', (status, record) => {
    expect(raw(record)).toBe(
      `{"id":"0123456789ABC","type":"ORDERS","status":"${status}","percentComplete":${record.percentComplete},` +
        '"startTime":1000,"endTime":2000,"createdTime":3000,"modifiedTime":4000,"merchantRef":{"id":"MERCHANT_1"}}',
    );
  });

  test('DONE', () => {
    expect(raw(DONE)).toBe(
      '{"id":"0123456789ABC","type":"ORDERS","status":"DONE","percentComplete":100,' +
        `"availableUntil":${UNTIL},"startTime":1000,"endTime":2000,"createdTime":3000,"modifiedTime":4000,` +
        '"exportUrls":{"elements":[' +
        `{"url":"http://host/0?expires=${UNTIL}","export":{"id":"0123456789ABC"}},` +
        `{"url":"http://host/1?expires=${UNTIL}","export":{"id":"0123456789ABC"}}]},` +
        '"merchantRef":{"id":"MERCHANT_1"},"files":{"elements":[' +
        `{"objects":1000,"bytes":1370000,"sha256":"${'a'.repeat(64)}"},` +
        `{"objects":7,"bytes":9000,"sha256":"${'b'.repeat(64)}"}]}}`,
    );
  });

  test('DONE without objects', () => {
    expect(raw({ ...DONE, files: [] })).toMatch(
      /"exportUrls":\{"elements":\[\]\},"merchantRef":\{"id":"MERCHANT_1"\},"files":\{"elements":\[\]\}\}$/,
    );
  });

  test.each(Object.keys(FAILURES) as FailureCode[])('FAILED: %s', (failureCode) => {
    const record: ExportWithFiles = {
      ...PENDING,
      status: 'FAILED',
      percentComplete: 40,
      failureCode,
    };
    expect(Object.keys(show(record))).toEqual([
      'id',
      'type',
      'status',
      'percentComplete',
      'startTime',
      'endTime',
      'createdTime',
      'modifiedTime',
      'merchantRef',
      'failure',
    ]);
    expect(show(record).failure).toEqual({
      code: failureCode,
      message: FAILURES[failureCode],
    });
  });
});

describe('the end of availability', () => {
  test.each([
    ['the moment itself', { ...DONE, now: UNTIL }],
    ['later', { ...DONE, now: UNTIL + 1 }],
    ['the files deleted before', { ...DONE, filesDeleted: true }],
  ])('%s: no URLs; files and availableUntil stay', (_what, record) => {
    const shown = show(record);
    expect(isAvailable(record)).toBe(false);
    expect(Object.keys(shown)).toEqual([
      'id',
      'type',
      'status',
      'percentComplete',
      'availableUntil',
      'startTime',
      'endTime',
      'createdTime',
      'modifiedTime',
      'merchantRef',
      'files',
    ]);
    expect(shown.status).toBe('DONE');
    expect(shown.availableUntil).toBe(UNTIL);
    expect(shown.files?.elements).toHaveLength(2);
  });

  test('a millisecond before, the URLs are there', () => {
    expect(isAvailable({ ...DONE, now: UNTIL - 1 })).toBe(true);
    expect(show(DONE).exportUrls?.elements).toHaveLength(2);
  });
});

/** Rows that the database can hold: a failure only with FAILED, an end and files only with DONE. */
const records: fc.Arbitrary<ExportWithFiles> = fc
  .record({
    status: fc.constantFrom(...EXPORT_STATUSES),
    type: fc.constantFrom(...EXPORT_TYPES),
    merchantId: fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/),
    failureCode: fc.constantFrom(...(Object.keys(FAILURES) as FailureCode[])),
    filesDeleted: fc.boolean(),
    now: fc.integer({ min: UNTIL - 3, max: UNTIL + 3 }),
    files: fc.array(
      fc.record({
        objects: fc.integer({ min: 1, max: 1000 }),
        bytes: fc.nat(),
        sha256: fc.stringMatching(/^[0-9a-f]{64}$/),
      }),
      { maxLength: 5 },
    ),
  })
  .map((parts) => ({
    ...PENDING,
    ...parts,
    percentComplete: parts.status === 'DONE' ? 100 : 40,
    availableUntil: parts.status === 'DONE' ? UNTIL : null,
    failureCode: parts.status === 'FAILED' ? parts.failureCode : null,
    files: parts.status === 'DONE' ? parts.files : [],
  }));

test('in any state: the members keep their order, and each appears only where it may', () => {
  const order =
    'id type status percentComplete availableUntil startTime endTime createdTime modifiedTime exportUrls merchantRef failure files'.split(
      ' ',
    );
  fc.assert(
    fc.property(records, (record) => {
      const shown = show(record);
      const names = Object.keys(shown);
      expect(names).toEqual(order.filter((name) => names.includes(name)));
      const done = record.status === 'DONE';
      expect(names.includes('availableUntil')).toBe(done);
      expect(names.includes('files')).toBe(done);
      expect(names.includes('exportUrls')).toBe(done && isAvailable(record));
      expect(names.includes('failure')).toBe(record.status === 'FAILED');
      expect(shown.exportUrls?.elements ?? record.files).toHaveLength(record.files?.length ?? 0);
      // Undefined members would vanish in the text, so the object and its text agree.
      expect(JSON.parse(raw(record))).toEqual(shown);
      // Old clients take what follows the first bracket of a DONE body for the list of URLs.
      if (shown.exportUrls) {
        const text = raw(record);
        expect(text.slice(0, text.indexOf('['))).toMatch(/"exportUrls":\{"elements":$/);
      }
    }),
    { numRuns: 500 },
  );
});

test('compact JSON: no white space between members', () => {
  fc.assert(
    fc.property(records, (record) => {
      fc.pre(record.failureCode === null);
      expect(raw(record)).not.toMatch(/\s/);
    }),
  );
});
