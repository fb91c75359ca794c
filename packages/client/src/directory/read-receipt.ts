/** Reads a receipt and checks its shape. */
import { EXPORT_TYPES, parseExact } from '@tillroll/contract';
import { ExportError } from '../errors.ts';
import { Zone } from '../time/zone.ts';
import * as is from './check.ts';
import { absolutePath, COLUMN, FORMATS, MONTH, RECEIPT_FILE, TABLE } from './layout.ts';
import { RECEIPT_VERSION, type Receipt } from './receipt.ts';
import { readText } from '../disk/entries.ts';

const isType = is.oneOf(...EXPORT_TYPES);
const isTimeOrNull = is.optional(is.isTime);
const isInstant: is.Check = (value) =>
  is.isText(value) && is.isTime(Date.parse(value as string)) && (value as string).endsWith('Z');
const FILE = { path: is.isText, bytes: is.isCount, sha256: is.isSha256 };
const isLabel = is.optional(is.isText);
const TOTALS = {
  currency: isLabel,
  objects: is.isCount,
  refunds: is.isCount,
  refundAmount: is.isAmount,
  net: is.isAmount,
  uncounted: is.isCount,
};

const isReceiptShape = is.shape({
  receipt: is.oneOf(RECEIPT_VERSION),
  complete: is.isBoolean,
  source: is.shape({ url: is.isText, merchant: is.isText }),
  format: is.oneOf(...FORMATS),
  gzip: is.isBoolean,
  columns: is.optional(is.list(is.matches(COLUMN))),
  timezone: is.isText,
  spans: is.list(is.shape({ type: isType, from: isInstant, to: isInstant })),
  objects: is.isCount,
  files: is.list(
    is.shape({
      ...FILE,
      type: isType,
      month: is.matches(MONTH),
      covers: is.list(is.isRange),
      exports: is.list(is.isText),
      objects: is.isCount,
      outside: is.isCount,
      firstCreatedTime: isTimeOrNull,
      lastCreatedTime: isTimeOrNull,
    }),
  ),
  tables: is.list(is.shape({ ...FILE, table: is.matches(TABLE), rows: is.isCount })),
  totals: is.shape({
    orders: is.list(is.shape({ ...TOTALS, total: is.isAmount })),
    payments: is.list(
      is.shape({
        ...TOTALS,
        result: isLabel,
        amount: is.isAmount,
        tipAmount: is.isAmount,
        taxAmount: is.isAmount,
      }),
    ),
  }),
  months: is.list(
    is.shape({
      type: isType,
      month: is.matches(MONTH),
      currency: isLabel,
      objects: is.isCount,
      amount: is.isAmount,
      refundAmount: is.isAmount,
      net: is.isAmount,
    }),
  ),
  missing: is.list(
    is.shape({
      name: is.isText,
      type: is.optional(isType),
      startTime: isTimeOrNull,
      endTime: isTimeOrNull,
      reason: is.isText,
    }),
  ),
});

function isReceipt(value: unknown): value is Receipt {
  if (!isReceiptShape(value)) return false;
  const { spans, timezone } = value as Receipt;
  try {
    new Zone(timezone);
  } catch {
    return false;
  }
  return spans.every(({ from, to }) =>
    is.isRange({ startTime: Date.parse(from), endTime: Date.parse(to) }),
  );
}

/**
 * Reads a directory's receipt, with its text. Anyone may have written it: its paths are not checked here.
 * @throws ExportError DIRECTORY when there is none, or what is there is not a receipt.
 */
export async function readReceipt(out: string): Promise<{ receipt: Receipt; text: string }> {
  const path = absolutePath({ out }, RECEIPT_FILE);
  const text = await readText(path);
  if (text === undefined)
    throw new ExportError('DIRECTORY', `${out} holds no ${RECEIPT_FILE}`, {
      hint: 'Run the pull again to its end: it writes the receipt',
    });
  let value: unknown;
  try {
    value = parseExact(text);
  } catch {
    // Reported below.
  }
  if (isReceipt(value)) return { receipt: value, text };
  const { receipt: version } = (value ?? {}) as { receipt?: unknown };
  if (Number.isInteger(version) && version !== RECEIPT_VERSION)
    throw new ExportError(
      'DIRECTORY',
      `${path} is a receipt of another version of Tillroll (${String(version)})`,
      { hint: 'Pull into a new directory' },
    );
  throw new ExportError('DIRECTORY', `${path} is not a receipt: it was altered`, {
    hint: 'Run the pull again: it writes the receipt anew',
  });
}
