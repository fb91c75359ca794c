/** Makes the CSV files of a month. */
import type { ExportType } from '@tillroll/contract';
import {
  listMonthTables,
  type Conversion,
  type ConvertedTable,
  type LinesFile,
} from '@tillroll/client/files';
import { COMPILED, estimateBytes, scanLines } from '../scan-lines.ts';
import { readRow, type Row } from '../row.ts';
import { ROWS, TABLES, type TableName } from '../tables.ts';
import { CsvFile } from './csv-file.ts';

/** @param keys the columns that say where the row belongs: JSON texts. */
type Add = (table: TableName, row: Row, keys: Record<string, string | undefined>) => void;

const ADD_OBJECT: Record<ExportType, (object: Row, add: Add) => void> = {
  ORDERS(order, add) {
    const order_id = order.values.id;
    const addAll = (table: TableName, rows: readonly Row[] = []) => {
      for (const [index, row] of rows.entries())
        add(table, row, { order_id, position: String(index + 1) });
    };
    const { line_items = [], discounts = [], payments, refunds } = order.lists;
    add('orders', order, {});
    addAll('line_items', line_items);
    const places = { order_discounts: 0, line_item_modifications: 0 };
    const addBelow = (table: keyof typeof places, rows: readonly Row[] = [], keys = {}) => {
      for (const row of rows)
        add(table, row, { ...keys, order_id, position: String(++places[table]) });
    };
    addBelow('order_discounts', discounts);
    for (const [index, { values, lists }] of line_items.entries()) {
      const keys = { line_item_id: values.id, line_item_position: String(index + 1) };
      addBelow('order_discounts', lists.discounts, keys);
      addBelow('line_item_modifications', lists.modifications, keys);
    }
    addAll('order_payments', payments);
    addAll('order_refunds', refunds);
  },
  PAYMENTS(payment, add) {
    const { id: payment_id, order_id } = payment.values;
    add('payments', payment, {});
    for (const [index, row] of (payment.lists.tax_rates ?? []).entries())
      add('payment_tax_rates', row, { payment_id, position: String(index + 1) });
    for (const [index, row] of (payment.lists.refunds ?? []).entries())
      add('payment_refunds', row, { payment_id, position: String(index + 1), order_id });
  },
};

/** One file a table and month. Needs no package, and no more memory than the longest line. */
export async function toCsv(conversion: Conversion): Promise<ConvertedTable[]> {
  const made: ConvertedTable[] = [];
  for (const month of conversion.months) made.push(...(await writeMonth(month, conversion)));
  return made;
}

async function writeMonth(lines: LinesFile, conversion: Conversion): Promise<ConvertedTable[]> {
  const { type, month } = lines;
  const { columns, signal, onProgress } = conversion;
  await using files = new AsyncDisposableStack();
  const byTable = new Map<TableName, CsvFile>();
  const names = listMonthTables({ format: 'csv', columns }, type);
  for (const table of TABLES)
    if (names.includes(table.name))
      byTable.set(table.name, files.use(await CsvFile.create(table, month, conversion)));
  const add: Add = (table, row, keys) => byTable.get(table)?.add(row, keys);
  const total = estimateBytes(lines);
  let read = 0;
  await scanLines(
    lines,
    signal,
    (scanner, { bytes }) =>
      ADD_OBJECT[type](readRow(scanner, COMPILED[type], ROWS[type], bytes), add),
    async (bytes) => {
      for (const file of byTable.values()) await file.write();
      read = Math.min(total, read + bytes);
      onProgress?.(read / total);
    },
  );
  const made: ConvertedTable[] = [];
  for (const file of byTable.values()) made.push(await file.finish());
  signal.throwIfAborted();
  onProgress?.(1);
  return made;
}
