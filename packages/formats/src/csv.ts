import type { ExportType } from '@tillroll/contract';
import { CsvFile } from './csv-file.ts';
import type { Conversion, ConvertedTable, LinesFile } from '@tillroll/client/files';
import { LAYOUTS, ROWS } from './layouts.ts';
import { walkLines } from './lines.ts';
import { rowOf, type Row } from './rows.ts';
import { TABLES, type TableName } from './tables.ts';

/** The tables that the objects of a type give. */
const MONTH_TABLES: Record<ExportType, readonly TableName[]> = {
  ORDERS: ['orders', 'line_items', 'order_discounts', 'order_payments', 'order_refunds'],
  PAYMENTS: ['payments', 'payment_tax_rates', 'payment_refunds'],
};

type Add = (table: TableName, values: readonly (string | undefined)[], row: Row) => void;

const named = (type: ExportType, name: string) =>
  ROWS[type].lists.findIndex((list) => list.name === name);
const LINE_ITEMS = named('ORDERS', 'line_items');
const ORDER_DISCOUNTS = named('ORDERS', 'discounts');
const ORDER_PAYMENTS = named('ORDERS', 'payments');
const ORDER_REFUNDS = named('ORDERS', 'refunds');
const TAX_RATES = named('PAYMENTS', 'tax_rates');
const PAYMENT_REFUNDS = named('PAYMENTS', 'refunds');
const ORDER_OF_PAYMENT = ROWS.PAYMENTS.columns.findIndex(({ name }) => name === 'order_id');

function addOrder(order: Row, add: Add): void {
  const [id] = order.values;
  add('orders', order.values, order);
  const lines = order.lists[LINE_ITEMS] ?? [];
  for (const [index, line] of lines.entries()) {
    add('line_items', [id, String(index + 1), ...line.values], line);
  }
  let position = 0;
  const discounts = (list: Row[] | undefined, line?: string, place?: string) => {
    for (const discount of list ?? []) {
      add('order_discounts', [id, String(++position), line, place, ...discount.values], discount);
    }
  };
  discounts(order.lists[ORDER_DISCOUNTS]);
  for (const [index, line] of lines.entries()) {
    discounts(line.lists[0], line.values[0], String(index + 1));
  }
  for (const [index, payment] of (order.lists[ORDER_PAYMENTS] ?? []).entries()) {
    add('order_payments', [id, String(index + 1), ...payment.values], payment);
  }
  for (const [index, refund] of (order.lists[ORDER_REFUNDS] ?? []).entries()) {
    add('order_refunds', [id, String(index + 1), ...refund.values], refund);
  }
}

function addPayment(payment: Row, add: Add): void {
  const [id] = payment.values;
  add('payments', payment.values, payment);
  for (const [index, rate] of (payment.lists[TAX_RATES] ?? []).entries()) {
    add('payment_tax_rates', [id, String(index + 1), ...rate.values], rate);
  }
  for (const [index, refund] of (payment.lists[PAYMENT_REFUNDS] ?? []).entries()) {
    const order = payment.values[ORDER_OF_PAYMENT];
    add('payment_refunds', [id, String(index + 1), order, ...refund.values], refund);
  }
}

/** One file a table and month. Needs no package, and no more memory than the longest line. */
export async function toCsv(conversion: Conversion): Promise<ConvertedTable[]> {
  const made: ConvertedTable[] = [];
  for (const month of conversion.months) made.push(...(await writeMonth(month, conversion)));
  return made;
}

async function writeMonth(
  lines: LinesFile,
  { out, signal, onProgress }: Conversion,
): Promise<ConvertedTable[]> {
  const { type, month, gzip, bytes: total } = lines;
  const tables = TABLES.filter(({ name }) => MONTH_TABLES[type].includes(name));
  const files = new Map(tables.map((table) => [table.name, new CsvFile(table, out, month)]));
  const layout = LAYOUTS[type];
  const addObject = type === 'ORDERS' ? addOrder : addPayment;
  const add: Add = (table, values, row) => files.get(table)?.add(values, row.other);
  // What is left of a gzip file is not known from what was inflated.
  const scale = gzip ? 0.1 : 1;
  let read = 0;
  try {
    for (const file of files.values()) await file.open();
    await walkLines(
      lines,
      layout,
      signal,
      (walker, { bytes }) => addObject(rowOf(walker, layout, bytes), add),
      async (bytes) => {
        for (const file of files.values()) await file.write();
        read = Math.min(total, read + bytes * scale);
        onProgress?.(read / Math.max(1, total));
      },
    );
    signal.throwIfAborted();
    const made: ConvertedTable[] = [];
    for (const file of files.values()) made.push(await file.finish());
    onProgress?.(1);
    return made;
  } catch (error) {
    for (const file of files.values()) await file.remove();
    throw error;
  }
}
