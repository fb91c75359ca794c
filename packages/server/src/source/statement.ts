/** Builds the COPY statement of an export. */
import pg from 'pg';
import type { ExportType } from '@tillroll/contract';

/** The selection of an export. Times are epoch milliseconds, half-open. */
export interface Selection {
  merchantId: string;
  type: ExportType;
  startTime: number;
  endTime: number;
}

const RELATIONS: Readonly<Record<ExportType, string>> = {
  ORDERS: 'tillroll.orders',
  PAYMENTS: 'tillroll.payments',
};

const COLUMNS = 'SELECT created_time::bigint, object::text';
const ORDER = 'ORDER BY created_time, id COLLATE "C"';

function milliseconds(time: number): string {
  if (!Number.isSafeInteger(time)) throw new RangeError(`not a time: ${time}`);
  return String(time);
}

/**
 * The one statement of an export: one statement is one snapshot. COPY takes no bind parameters, so
 * this is the only place where values become SQL text, each escaped or checked.
 */
export function copyStatement(selection: Selection): string {
  return `COPY (
  ${COLUMNS} FROM ${RELATIONS[selection.type]}
  WHERE merchant_id = ${pg.escapeLiteral(selection.merchantId)}
    AND created_time >= ${milliseconds(selection.startTime)}
    AND created_time < ${milliseconds(selection.endTime)}
  ${ORDER}
) TO STDOUT (FORMAT binary)`;
}

/** Fails as an export of this type would when the relation, a column or the right to read it is missing. */
export function checkStatement(type: ExportType): string {
  return `${COLUMNS} FROM ${RELATIONS[type]} WHERE merchant_id = '' AND false ${ORDER} LIMIT 0`;
}
