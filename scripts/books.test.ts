import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseExact } from '@tillroll/contract';
import type { Receipt } from '@tillroll/client/files';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { run } from '../packages/cli/test/run.ts';
import { startFakeServer, type FakeServer } from '../packages/client/test/fake-server/index.ts';
import {
  expectDailyTotals,
  expectFound,
  expectTotals,
  type Figures,
  type Found,
} from './books/expected.ts';
import { LARGE, PLACES, SPAN } from './books/book.ts';
import { makeBooks, writeBooks } from './books/objects.ts';
import {
  readDailyTotals,
  readWithDuckdb,
  readWithHyparquet,
  readWithJq,
  readWithPython,
  withoutZeros,
} from './books/readers.ts';

/**
 * The same 300 orders and their payments in every format, pulled by the command in three zones: formats, summary,
 * receipt and readers of other makers agree to the unit, per month, currency and local business day.
 */

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const FORMATS = ['jsonl', 'csv', 'parquet', 'duckdb'] as const;
type Format = (typeof FORMATS)[number];

/** Tells whether a program that takes its zones from the system is installed, and the zones. */
const has = (program: string): boolean =>
  spawnSync(program, ['--version']).status === 0 && existsSync('/usr/share/zoneinfo/Europe/Berlin');
const READERS = [
  { format: 'jsonl', reader: 'jq', read: readWithJq, isThere: has('jq') },
  { format: 'csv', reader: "Python's csv", read: readWithPython, isThere: has('python3') },
  { format: 'parquet', reader: 'hyparquet', read: readWithHyparquet, isThere: true },
  { format: 'duckdb', reader: 'DuckDB', read: readWithDuckdb, isThere: true },
] as const;

/** ISO 4217; null has no minor unit; what is not here does not exist. */
const DIGITS: Readonly<Record<string, number | null>> = {
  USD: 2,
  JPY: 0,
  KWD: 3,
  HUF: 2,
  CLF: 4,
  IRR: 2,
  XAU: null,
};

const books = makeBooks();
let directory: string;
let server: FakeServer;
/** The command's output, by format and zone. */
const said = new Map<string, string>();
const findFolder = (format: Format, zone: string): string =>
  join(directory, format, zone.replace('/', '-'));

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tillroll-books-'));
  server = await startFakeServer({ objects: writeBooks(books), ready: { polls: 0 }, perFile: 100 });
  const env = {
    TILLROLL_URL: server.url,
    TILLROLL_MERCHANT: server.merchant,
    TILLROLL_TOKEN: server.token,
  };
  for (const { zone } of PLACES)
    for (const format of FORMATS) {
      const out = findFolder(format, zone);
      const { from, to } = SPAN;
      const args = ['--from', from, '--to', to, '--timezone', zone, '--format', format];
      const { code, err } = await run(['pull', ...args, '--out', out], { env });
      expect({ code, err }).toEqual({ code: 0, err });
      said.set(`${format} ${zone}`, err);
    }
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

const withoutLarge = (figures: Figures): Figures =>
  Object.fromEntries(Object.entries(figures).filter(([kind]) => !kind.endsWith(LARGE)));

test('the books have all that the sums depend on', () => {
  const { months, days } = expectFound(books, 'UTC', PLACES);
  expect(books).toHaveLength(300);
  expect(Object.keys(months).length).toBeGreaterThan(50);
  expect(Object.keys(days).length).toBeGreaterThan(300);
  const totals = expectTotals(books);
  for (const row of Object.values(totals.orders))
    expect(Number(row['uncounted'])).toBeGreaterThan(0);
  expect(BigInt(totals.orders[LARGE]?.['total'] ?? 0)).toBeGreaterThan(2n ** 63n);
  const texts = Object.values(writeBooks(books)).flat();
  expect(texts.filter((text) => text.length > 200_000)).toHaveLength(6);
});

describe.each(PLACES)('in $zone', ({ zone }) => {
  describe.each(READERS)('$reader on $format', ({ format, read, isThere }) => {
    test.skipIf(!isThere)('finds what the books say', async () => {
      const found = await read(findFolder(format, zone), zone, PLACES);
      let expected: Found = expectFound(books, zone, PLACES);
      if (format === 'jsonl')
        expected = { months: withoutLarge(expected.months), days: withoutLarge(expected.days) };
      expect(found).toEqual(expected);
    });
  });

  test('daily_totals has what the books say', async () => {
    expect(await readDailyTotals(findFolder('duckdb', zone))).toEqual(
      withoutZeros(expectDailyTotals(books, zone)),
    );
  });

  test.each(FORMATS)('the receipt of %s says what the books say', async (format) => {
    const text = await readFile(join(findFolder(format, zone), 'receipt.json'), 'utf8');
    const { months, totals } = parseExact(text) as Receipt;
    const asText = (sums: object): Record<string, string> =>
      Object.fromEntries(Object.entries(sums).map(([name, value]) => [name, String(value)]));
    expect(
      Object.fromEntries(
        months.map(({ type, month, currency, net, ...sums }) => {
          expect(BigInt(net)).toBe(BigInt(sums.amount) - BigInt(sums.refundAmount));
          return [`${type} ${month} ${currency ?? '-'}`, asText(sums)];
        }),
      ),
    ).toEqual(expectFound(books, zone, []).months);
    const expected = expectTotals(books);
    expect(
      Object.fromEntries(
        totals.orders.map(({ currency, ...sums }) => [currency ?? '-', asText(sums)]),
      ),
    ).toEqual(expected.orders);
    expect(
      Object.fromEntries(
        totals.payments.map(({ currency, result, ...sums }) => [
          `${currency ?? '-'} ${result ?? '-'}`,
          asText(sums),
        ]),
      ),
    ).toEqual(expected.payments);
  });

  test.each(FORMATS)('the summary of %s says what the books say', (format) => {
    const summary = said.get(`${format} ${zone}`) ?? '';
    const totals = expectTotals(books);
    for (const [type, figures] of Object.entries(totals))
      for (const [kind, row] of Object.entries(figures)) {
        const [currency = '', result] = kind.split(' ');
        const amount = (name: string): string => shown(row[name] ?? '', currency);
        const cells = [
          type,
          formatLabel(currency),
          ...(result === undefined ? [] : [formatLabel(result)]),
          BigInt(row['objects'] ?? 0).toLocaleString('en-US'),
          ...(type === 'orders' ? [`total ${amount('total')}`] : [`amount ${amount('amount')}`]),
          `refunds ${amount('refundAmount')}`,
          `net ${amount('net')}`,
          ...(type === 'orders'
            ? []
            : [`tips ${amount('tipAmount')}`, `tax ${amount('taxAmount')}`]),
        ];
        expect(summary.split('\n').map((line) => line.trim().split(/ {2,}/).join('|'))).toContain(
          cells.join('|'),
        );
      }
    for (const [kind, row] of Object.entries(expectFound(books, zone, []).months)) {
      const [type = '', month = '', currency = ''] = kind.split(' ');
      const chart = summary.split(`\n${type.toLowerCase()}, ${formatLabel(currency)}\n`)[1] ?? '';
      const lines = chart.split('\n\n')[0]?.split('\n') ?? [];
      const found = lines
        .find((line) => line.startsWith(`  ${month} `))
        ?.split(/ {2,}/)
        .slice(-2);
      expect(found, kind).toEqual([shown(row['amount'] ?? '', currency), row['objects']]);
    }
  });
});

const formatLabel = (name: string): string => (name === '-' ? '(none)' : name);

/** Minor units as the summary shows them, by ISO's digits. */
function shown(minor: string, currency: string): string {
  const digits = DIGITS[currency];
  const sign = minor.startsWith('-') ? '-' : '';
  const text = minor.replace('-', '').padStart((digits ?? 0) + 1, '0');
  const whole = text.slice(0, text.length - (digits ?? 0)).replaceAll(/\B(?=(\d{3})+$)/g, ',');
  const fraction = digits ? `.${text.slice(-digits)}` : '';
  const unit = digits === null ? ' (no minor unit)' : digits === undefined ? ' minor units' : '';
  return `${sign}${whole}${fraction}${unit}`;
}
