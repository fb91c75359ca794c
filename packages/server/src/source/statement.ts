/** Builds the COPY statement of an export. */
import pg from 'pg';
import type { ExportType } from '@tillroll/contract';

/** The selection of an export. */
export interface Selection {
  merchantId: string;
  type: ExportType;
  /** Epoch milliseconds, half-open; of changes they count for nothing. */
  startTime: number;
  endTime: number;
  /** The number of the load after which changes are read; null for a range of time. */
  sinceNumber: number | null;
}

const RELATIONS: Readonly<Record<ExportType, string>> = {
  ORDERS: 'tillroll.orders',
  PAYMENTS: 'tillroll.payments',
};

/** The fields of a row of the COPY between its position and its object, for the totals: texts, then integers. */
export interface RowLayout {
  readonly texts: readonly string[];
  readonly integers: readonly string[];
}

export const ROW_LAYOUTS: Readonly<Record<ExportType, RowLayout>> = {
  ORDERS: { texts: ['currency'], integers: ['total'] },
  PAYMENTS: { texts: ['currency', 'result'], integers: ['amount', 'tip_amount', 'tax_amount'] },
};

/** Rows without fields for the totals: of tombstones, and of a view that has no such columns. */
export const NO_FIELDS: RowLayout = { texts: [], integers: [] };

/** One COPY of an export, whose rows are (position, fields for the totals, object), ordered by position. */
export interface CopyPart {
  readonly statement: string;
  readonly layout: RowLayout;
  /** Its objects are tombstones. */
  readonly isDeletions: boolean;
  /** Every position is at least `from` and below `to`. */
  readonly from: number;
  readonly to: number;
}

function selectColumns({ texts, integers }: RowLayout, position: string): string {
  const columns = [
    `${position}::bigint`,
    ...texts.map((name) => `${name}::text`),
    ...integers.map((name) => `${name}::bigint`),
    'object::text',
  ];
  return `SELECT ${columns.join(', ')}`;
}

const ORDER = 'ORDER BY created_time, id COLLATE "C"';
/** The text that the contract gives a tombstone. */
const TOMBSTONE = `'{"id":' || to_json(id)::text || ',"deleted":true,"deletedTime":' || deleted_time || '}'`;

function whole(number: number): string {
  if (!Number.isSafeInteger(number)) throw new RangeError(`not a whole number: ${number}`);
  return String(number);
}

/**
 * The statements of an export, all of one snapshot. @param layout of the rows: what the relation has for totals.
 * COPY takes no bind parameters, so
 * this is the only place where values become SQL text, each escaped or checked.
 */
export function copyParts(selection: Selection, layout: RowLayout): CopyPart[] {
  const { merchantId, type, startTime, endTime, sinceNumber } = selection;
  const merchant = pg.escapeLiteral(merchantId);
  if (sinceNumber === null) {
    const statement = `COPY (
  ${selectColumns(layout, 'created_time')} FROM ${RELATIONS[type]}
  WHERE merchant_id = ${merchant}
    AND created_time >= ${whole(startTime)}
    AND created_time < ${whole(endTime)}
  ${ORDER}
) TO STDOUT (FORMAT binary)`;
    return [{ statement, layout, isDeletions: false, from: startTime, to: endTime }];
  }
  const changes = `COPY (
  ${selectColumns(layout, 'load_number')} FROM ${RELATIONS[type]}
  WHERE merchant_id = ${merchant} AND load_number > ${whole(sinceNumber)}
  ORDER BY load_number, created_time, id COLLATE "C"
) TO STDOUT (FORMAT binary)`;
  const deletions = `COPY (
  SELECT load_number::bigint, ${TOMBSTONE} FROM tillroll.tombstones
  WHERE merchant_id = ${merchant} AND type = ${pg.escapeLiteral(type)} AND load_number > ${whole(sinceNumber)}
  ORDER BY load_number, id
) TO STDOUT (FORMAT binary)`;
  const numbers = { from: sinceNumber + 1, to: Number.MAX_SAFE_INTEGER };
  return [
    { statement: changes, layout, isDeletions: false, ...numbers },
    { statement: deletions, layout: NO_FIELDS, isDeletions: true, ...numbers },
  ];
}

/** Fails as an export of this type would when the relation, a column or the right to read it is missing. */
export function checkStatement(type: ExportType): string {
  return `${selectColumns(NO_FIELDS, 'created_time')} FROM ${RELATIONS[type]} WHERE merchant_id = '' AND false ${ORDER} LIMIT 0`;
}

/** $1 relation, $2 texts[], $3 integers[]: whether it has all of these columns, and the latter as integers. */
export const HAS_COLUMNS = `
  SELECT count(*) = cardinality($2::text[]) + cardinality($3::text[]) AS found
  FROM pg_catalog.pg_attribute a
  WHERE a.attrelid = to_regclass($1) AND NOT a.attisdropped
    AND (a.attname = ANY ($2) OR
         a.attname = ANY ($3) AND a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype))`;

/** The relation that holds the objects of a type. */
export function findRelation(type: ExportType): string {
  return RELATIONS[type];
}

/** $1 merchant, $2 type, $3 number of a load: how many objects and tombstones an export of changes would hold. */
export function countChangesStatement(type: ExportType): string {
  return `SELECT (SELECT count(*) FROM ${RELATIONS[type]} WHERE merchant_id = $1 AND load_number > $3)
    + (SELECT count(*) FROM tillroll.tombstones WHERE merchant_id = $1 AND type = $2 AND load_number > $3) AS objects`;
}

const RANGE = 'merchant_id = $1 AND created_time >= $2 AND created_time < $3';

/** $1 merchant, $2 start, $3 end: how many objects an export would hold. */
export function countStatement(type: ExportType): string {
  return `SELECT count(*) AS objects FROM ${RELATIONS[type]} WHERE ${RANGE}`;
}

/** $1 merchant, $2 start, $3 end: the mean length of the first and the last objects, bytes. */
export function sampleStatement(type: ExportType): string {
  const some = (direction: 'ASC' | 'DESC'): string =>
    `(SELECT object FROM ${RELATIONS[type]} WHERE ${RANGE} ORDER BY created_time ${direction} LIMIT 50)`;
  return `SELECT coalesce(avg(octet_length(object::text)), 0)::float8 AS bytes
    FROM (${some('ASC')} UNION ALL ${some('DESC')}) sample`;
}
