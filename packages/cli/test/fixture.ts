import type { MonthProgress, PullResult, Receipt } from '@tillroll/client/files';

export const JANUARY = Date.UTC(2026, 0, 1);
export const FEBRUARY = Date.UTC(2026, 1, 1);

export function month(name: string, part: Partial<MonthProgress> = {}): MonthProgress {
  return {
    name,
    type: 'ORDERS',
    month: '2026-01',
    startTime: JANUARY,
    endTime: FEBRUARY,
    stage: 'planned',
    percent: 0,
    objects: 0,
    bytes: 0,
    files: 0,
    filesTotal: null,
    ...part,
  };
}

const NO_REFUNDS = { refunds: 0, refundAmount: 0, uncounted: 0 };

export function monthTotals(
  name: string,
  objects: number,
  amount: number,
): Receipt['months'][number] {
  const money = { amount, refundAmount: 0, net: amount };
  return { type: 'ORDERS', month: name, currency: 'USD', objects, ...money };
}

export function receipt(part: Partial<Receipt> = {}): Receipt {
  return {
    receipt: 4,
    columns: null,
    complete: true,
    source: { url: 'https://exports.example.com', merchant: 'SHOP' },
    format: 'jsonl',
    gzip: false,
    bounds: 'startTime <= createdTime < endTime',
    timezone: 'UTC',
    spans: [{ type: 'ORDERS', from: '2026-01-01T00:00:00.000Z', to: '2026-02-01T00:00:00.000Z' }],
    objects: 1234,
    files: [
      {
        type: 'ORDERS',
        month: '2026-01',
        path: 'orders/2026-01.jsonl',
        covers: [{ startTime: JANUARY, endTime: FEBRUARY }],
        exports: ['46W0PSXERJTCS'],
        objects: 1234,
        outside: 0,
        bytes: 1_500_000,
        sha256: '0'.repeat(64),
        firstCreatedTime: JANUARY,
        lastCreatedTime: FEBRUARY - 1,
      },
    ],
    tables: [],
    totals: {
      orders: [{ currency: 'USD', objects: 1234, total: 1_234_567, ...NO_REFUNDS, net: 1_234_567 }],
      payments: [
        {
          currency: 'JPY',
          result: 'SUCCESS',
          objects: 7,
          amount: 4500,
          tipAmount: 0,
          taxAmount: 409,
          ...NO_REFUNDS,
          net: 4500,
        },
      ],
    },
    months: [monthTotals('2026-01', 1000, 1_000_000), monthTotals('2026-02', 234, 234_567)],
    missing: [],
    ...part,
  };
}

export function result(part: Partial<PullResult> = {}): PullResult {
  return {
    complete: true,
    out: '/data/sales',
    receipt: receipt(),
    failed: [],
    received: { objects: 1234, bytes: 2_000_000, ms: 2000 },
    ...part,
  };
}
