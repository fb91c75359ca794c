import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { ExportClient } from '@tillroll/client';
import { verify, type Format } from '@tillroll/client/files';
import { tables } from '@tillroll/formats';
import { describe, expect, test } from 'vitest';
import { startFakeServer } from '../packages/client/test/fake-server/index.ts';

const DAY_MS = 86_400_000;
const OCTOBER = Date.UTC(2025, 9, 10, 12);
const NOVEMBER = Date.UTC(2025, 10, 20, 12);

function order(id: string, createdTime: number, total: number, modifiedTime = createdTime): string {
  return JSON.stringify({ id, currency: 'USD', total, createdTime, modifiedTime });
}

/** Reads each order of the directory with its total. */
const READERS: Record<Format, (out: string) => Promise<[id: string, total: number][]>> = {
  jsonl: async (out) => {
    const texts = ['2025-10', '2025-11'].map((month) =>
      readFile(join(out, `orders/${month}.jsonl`), 'utf8'),
    );
    const lines = (await Promise.all(texts)).join('').split('\n').slice(0, -1);
    return lines.map((line) => {
      const { id, total } = JSON.parse(line) as { id: string; total: number };
      return [id, total];
    });
  },
  csv: (out) => query(':memory:', `SELECT id, total FROM read_csv('${out}/orders/*.csv')`),
  parquet: (out) =>
    query(':memory:', `SELECT id, total FROM read_parquet('${out}/orders/*.parquet')`),
  duckdb: (out) => query(join(out, 'sales.duckdb'), 'SELECT id, total FROM orders'),
};

async function query(database: string, sql: string): Promise<[id: string, total: number][]> {
  const options = database === ':memory:' ? {} : { access_mode: 'READ_ONLY' };
  const instance = await DuckDBInstance.create(database, options);
  const connection = await instance.connect();
  try {
    const answer = await connection.runAndReadAll(sql);
    return answer.getRows().map(([id, total]) => [String(id), Number(total)]);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

describe('an order that comes again with another createdTime is there once, as it is now', () => {
  test.concurrent.each(['jsonl', 'csv', 'parquet', 'duckdb'] as const)('%s', async (format) => {
    const directory = await mkdtemp(join(tmpdir(), 'tillroll-moved-'));
    const out = join(directory, 'sales');
    await using server = await startFakeServer({
      objects: {
        ORDERS: [order('X', OCTOBER, 1000), order('Y', OCTOBER + 1, 30), order('Z', NOVEMBER, 4)],
      },
      ready: { polls: 0 },
    });
    const client = new ExportClient(server);
    const expectOrders = async (...expected: [string, number][]): Promise<void> => {
      const found = await READERS[format](out);
      expect(found.toSorted(([a], [b]) => (a < b ? -1 : 1))).toEqual(expected);
      const { complete, faults } = await verify(out);
      expect({ complete, faults }).toEqual({ complete: true, faults: [] });
    };
    try {
      const how = { types: ['ORDERS'], out, format, tables } as const;
      await client.pull({ ...how, from: '2025-10-01', to: NOVEMBER + DAY_MS });
      await expectOrders(['X', 1000], ['Y', 30], ['Z', 4]);

      // To a later month, then to another day of it.
      for (const [createdTime, total, changes] of [
        [NOVEMBER + DAY_MS / 2, 500, 1],
        [NOVEMBER - DAY_MS, 600, 2],
      ] as const) {
        server.put('ORDERS', [order('X', createdTime, total, NOVEMBER + changes * DAY_MS)]);
        const { receipt, complete } = await client.pull({
          ...how,
          sinceLast: true,
          to: NOVEMBER + (changes + 1) * DAY_MS,
        });
        expect(complete).toBe(true);
        expect(receipt.totals.orders).toMatchObject([{ objects: 3, total: total + 34 }]);
        await expectOrders(['X', total], ['Y', 30], ['Z', 4]);
      }

      // Later pulls continue.
      server.put('ORDERS', [order('Z2', NOVEMBER + 4 * DAY_MS, 5)]);
      const last = await client.pull({ ...how, sinceLast: true, to: NOVEMBER + 5 * DAY_MS });
      expect(last.complete).toBe(true);
      await expectOrders(['X', 600], ['Y', 30], ['Z', 4], ['Z2', 5]);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});
