import type { ExportType } from '@tillroll/contract';
import { CsvFile } from './csv-file.ts';
import { textOf } from './csv-text.ts';
import type { Conversion, ConvertedFile } from '@tillroll/client/files';
import { LAYOUTS, ROWS } from './layouts.ts';
import { walkLines } from './lines.ts';
import { rowOf, type Row } from './rows.ts';
import { TABLES, type TableName } from './tables.ts';

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
  for (const refund of order.lists[ORDER_REFUNDS] ?? []) {
    // Its own columns, and behind them the payment's id.
    const own = refund.values.slice(0, 4);
    add('refunds', ['"order"', id, refund.values[4], ...own], refund);
  }
}

function addPayment(payment: Row, add: Add): void {
  const [id] = payment.values;
  add('payments', payment.values, payment);
  for (const [index, rate] of (payment.lists[TAX_RATES] ?? []).entries()) {
    add('payment_tax_rates', [id, String(index + 1), ...rate.values], rate);
  }
  for (const refund of payment.lists[PAYMENT_REFUNDS] ?? []) {
    add('refunds', ['"payment"', payment.values[ORDER_OF_PAYMENT], id, ...refund.values], refund);
  }
}

/** One file a table. Needs no package, and no more memory than the longest line. */
export async function toCsv(conversion: Conversion): Promise<ConvertedFile[]> {
  const files = new Map(TABLES.map((table) => [table.name, new CsvFile(table, conversion.out)]));
  try {
    for (const file of files.values()) await file.open();
    await fill(conversion, files);
    for (const file of files.values()) {
      await file.write(true);
      await file.close();
    }
    conversion.signal.throwIfAborted();
    const made: ConvertedFile[] = [];
    for (const file of files.values()) made.push(await file.finish());
    return made;
  } catch (error) {
    for (const file of files.values()) await file.remove();
    throw error;
  }
}

async function fill(
  { ranges, signal, onProgress }: Conversion,
  files: ReadonlyMap<TableName, CsvFile>,
): Promise<void> {
  const refunds = new Set<string>();
  const add: Add = (table, values, row) => {
    if (table === 'refunds') {
      const id = row.values[0];
      if (id !== undefined && refunds.size === refunds.add(textOf(id)).size) return;
    }
    files.get(table)?.add(values, row.other);
  };
  const total = Math.max(
    1,
    ranges.reduce((sum, { bytes }) => sum + bytes, 0),
  );
  let done = 0;
  // Payments first: of a refund that stands in both, the payment's copy stays.
  for (const type of ['PAYMENTS', 'ORDERS'] as const) {
    const layout = LAYOUTS[type];
    const addObject = type === 'ORDERS' ? addOrder : addPayment;
    for (const range of ranges.filter((each) => each.type === type)) {
      // What is left of a gzip file is not known from what was inflated.
      const scale = range.gzip ? 0.1 : 1;
      let read = 0;
      await walkLines(
        range,
        layout,
        signal,
        (walker, { bytes }) => addObject(rowOf(walker, layout, bytes), add),
        async (bytes) => {
          for (const file of files.values()) await file.write();
          read = Math.min(range.bytes, read + bytes * scale);
          onProgress?.({ path: `${type.toLowerCase()}.csv`, fraction: (done + read) / total });
        },
      );
      done += range.bytes;
    }
  }
}
