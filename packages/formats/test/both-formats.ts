/** Converts objects to CSV and to DuckDB, which must agree. */

import { expect } from 'vitest';
import { bothTables, findRange, temporary } from './formats-fixture.ts';

export const ORDER = { id: 'O1', createdTime: 1_767_225_600_001, modifiedTime: 1_767_225_600_002 };

export const PAYMENT = {
  id: 'P1',
  createdTime: 1_767_225_600_003,
  modifiedTime: 1_767_225_600_004,
};

/** Orders and payments in both forms, which must be equal. */
export async function readTables(
  orders: readonly (object | string)[],
  payments: readonly object[] = [],
) {
  await using folder = await temporary();
  const ranges = [
    await findRange(folder.path, 'ORDERS', orders),
    await findRange(folder.path, 'PAYMENTS', payments),
  ];
  const { csv, duckdb } = await bothTables(folder.path, ranges);
  expect(duckdb).toEqual(csv);
  return csv;
}

export const readFirst = async (orders: readonly (object | string)[]) =>
  (await readTables(orders)).orders?.[0];
