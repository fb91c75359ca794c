import { expect, test } from 'vitest';
import { monthCharts } from '../src/summary/months.ts';
import { failureLines, summaryLines } from '../src/summary/summary.ts';
import { monthTotals, receipt, result } from './fixture.ts';

const terminal = {
  width: 80,
  blocks: ['#', '.'] as const,
  paint: (_style: string, text: string) => text,
};

test('the summary says what is there', () => {
  expect(summaryLines(result(), { elapsedMs: 4000, terminal })).toEqual([
    '/data/sales: complete',
    '  orders  2026-01-01T00:00:00Z <= createdTime < 2026-02-01T00:00:00Z',
    '  1 month, 1,234 objects, 1 file, 1.50 MB on disk',
    '  received now: 1,234 objects, 2.00 MB in 2.0 s (1.00 MB/s); 4.0 s in all',
    '',
    '  orders    USD           1,234  total 12,345.67',
    '  payments  JPY  SUCCESS      7  amount 4,500     tips 0  tax 409',
    '',
    'orders, USD',
    `  2026-01  ${'#'.repeat(50)}  10,000.00  1,000`,
    `  2026-02  ${'#'.repeat(12).padEnd(50)}   2,345.67    234`,
  ]);
});

test('refunds, what is left of the sales, and what is in no sum', () => {
  const { totals } = receipt();
  const [orders] = totals.orders;
  const [payments] = totals.payments;
  if (!orders || !payments) throw new Error('no totals');
  const lines = summaryLines(
    result({
      receipt: receipt({
        totals: {
          orders: [
            { ...orders, currency: null, uncounted: 2 },
            { ...orders, currency: 'HUF', total: 2n ** 60n, refunds: 1, refundAmount: 5, net: 1 },
          ],
          payments: [{ ...payments, currency: '\u20ac', result: null, uncounted: 1 }],
        },
      }),
    }),
    { elapsedMs: 1, terminal },
  );
  expect(lines.slice(5, 10)).toEqual([
    '  orders    (none)          1,234  total 1,234,567 minor units      refunds 0 minor units  net 1,234,567 minor units',
    '  orders    HUF             1,234  total 11,529,215,046,068,469.76  refunds 0.05           net 0.01',
    '  payments  \u20ac       (none)      7  amount 4,500 minor units         refunds 0 minor units  net 4,500 minor units      tips 0 minor units  tax 409 minor units',
    '  2 orders with an amount that is missing or not a whole number: it is in no sum',
    '  1 payment with an amount that is missing or not a whole number: it is in no sum',
  ]);
});

test('a file that holds several tables counts once', () => {
  const database = { path: 'sales.duckdb', rows: 7, bytes: 3_000_000, sha256: '0'.repeat(64) };
  const tables = ['orders', 'payments'].map((table) => ({ ...database, table }));
  const lines = summaryLines(result({ receipt: receipt({ tables }) }), { elapsedMs: 1, terminal });
  expect(lines).toContain('  1 month, 1,234 objects, 2 files, 4.50 MB on disk');
});

test('what is missing is listed with its reason and what to do', () => {
  const failed = [
    {
      name: 'orders/2026-01',
      message: 'the disk is full.',
      code: 'DISK',
      hint: 'Make room',
    } as const,
    { name: 'sales.duckdb', message: 'IO Error', code: 'DISK' } as const,
  ];
  const range = { type: 'ORDERS', startTime: 0, endTime: 1 } as const;
  const missing = [
    { name: 'orders/2026-01', ...range, reason: 'the disk is full.' },
    { name: 'orders/2026-02', ...range, reason: 'not fetched yet' },
    { name: 'sales.duckdb', type: null, startTime: null, endTime: null, reason: 'IO Error' },
  ];
  const incomplete = result({ complete: false, failed, receipt: receipt({ missing }) });
  expect(failureLines(incomplete)).toEqual([
    'orders/2026-01: the disk is full. Make room',
    'orders/2026-02: not fetched yet',
    'sales.duckdb: IO Error',
    '3 files missing. Run the pull again to fetch what is missing.',
  ]);
  const lines = summaryLines(incomplete, { elapsedMs: 1, terminal });
  expect(lines[0]).toBe('/data/sales: not complete');
  expect(lines.slice(-4)).toEqual(failureLines(incomplete));
});

test('texts of a server control no terminal', () => {
  const evil = 'U\u001b]0;x\u0007\u009b2J\u202e\nD';
  const { totals } = receipt();
  const lines = summaryLines(
    result({
      complete: false,
      out: `/data/${evil}`,
      failed: [{ name: evil, message: evil, code: 'BAD_FILE', hint: evil }],
      receipt: receipt({
        totals: {
          orders: totals.orders.map((row) => ({ ...row, currency: evil })),
          payments: totals.payments.map((row) => ({ ...row, currency: evil, result: evil })),
        },
        months: receipt().months.map((row) => ({ ...row, currency: evil, month: evil })),
      }),
    }),
    { elapsedMs: 1, terminal },
  );
  // oxlint-disable-next-line no-control-regex
  const unsafe = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/;
  expect(lines.join('')).not.toMatch(unsafe);
});

test('bars fit the terminal, and leave it where it is too narrow', () => {
  const { months } = receipt();
  for (const width of [20, 30, 40, 80, 200])
    for (const line of monthCharts(months, width, '#').slice(2))
      expect(line.length).toBeLessThanOrEqual(Math.max(width - 1, 29));
  expect(monthCharts(months, 30, '#').join('')).not.toContain('#');
});

test('refunds have no bar, and small sales have one', () => {
  const amounts = [-500, 0, 1, 100_000];
  const months = amounts.map((amount, index) => monthTotals(`2026-0${index + 1}`, 1, amount));
  const bars = monthCharts(months, 60, '#')
    .slice(2)
    .map((line) => line.split('#').length - 1);
  expect(bars.slice(0, 3)).toEqual([0, 0, 1]);
  expect(bars[3]).toBeGreaterThan(20);
});

test('ten years of months do not fill ten screens', () => {
  const months = Array.from({ length: 120 }, (_, i) =>
    monthTotals(`${2016 + Math.floor(i / 12)}-${String((i % 12) + 1).padStart(2, '0')}`, 1, 100),
  );
  const lines = monthCharts(months.toReversed(), 80, '#');
  expect(lines).toHaveLength(2 + 1 + 36);
  expect(lines[2]).toBe('  (84 earlier months are in receipt.json)');
  expect(lines[3]).toContain('2023-01');
  expect(lines.at(-1)).toContain('2025-12');
});
