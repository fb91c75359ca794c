import { isUtf8 } from 'node:buffer';
import { DAY_MS, MAX_TIME_MS, shown } from '@tillroll/contract';
import { BadLine } from './errors.ts';
import type { Line } from './lines.ts';
import type { Column, Relation } from './relations.ts';

/** One line, checked, ready to be stored. */
export interface Row {
  line: number;
  id: string;
  createdTime: number;
  modifiedTime: number;
  /** In the order of the relation's columns. */
  values: (string | number | null)[];
  /** The line's exact bytes. */
  object: Buffer;
}

const MAX_ID_BYTES = 64;
const MAX_TEXT_LENGTH = 64;
// oxlint-disable-next-line no-control-regex -- control characters are what this looks for
const CONTROL = /[\u0000-\u001f\u007f]/;

/** A clock that is a day ahead is a fault; a smaller lead happens. */
export const MAX_LEAD_MS = DAY_MS;

function fault(line: Line, member: string, value: unknown, allowed: string): BadLine {
  return new BadLine(line.number, `${member} must be ${allowed}; got ${shown(value)}`);
}

function parse(line: Line): Record<string, unknown> {
  if (!isUtf8(line.bytes)) throw new BadLine(line.number, 'not valid UTF-8');
  let value: unknown;
  try {
    value = JSON.parse(line.bytes.toString('utf8'));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new BadLine(line.number, `not valid JSON (${reason.slice(0, 120)})`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new BadLine(line.number, `must be a JSON object; got ${shown(value)}`);
  }
  return value as Record<string, unknown>;
}

function own(object: Record<string, unknown>, member: string): unknown {
  const value = Object.hasOwn(object, member) ? object[member] : undefined;
  return value === null ? undefined : value;
}

function timeOf(line: Line, member: string, value: unknown): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_TIME_MS)
    return value;
  throw fault(line, member, value, `a whole number of epoch milliseconds from 0 to ${MAX_TIME_MS}`);
}

function idOf(line: Line, value: unknown): string {
  if (
    typeof value === 'string' &&
    value.length > 0 &&
    Buffer.byteLength(value) <= MAX_ID_BYTES &&
    value.isWellFormed() &&
    !CONTROL.test(value)
  ) {
    return value;
  }
  throw fault(
    line,
    'id',
    value,
    `a string of 1 to ${MAX_ID_BYTES} bytes without control characters`,
  );
}

function columnOf(line: Line, column: Column, value: unknown): string | number | null {
  if (value === undefined) return null;
  if (column.kind === 'integer') {
    if (typeof value === 'number' && Number.isSafeInteger(value)) return value;
    throw fault(line, column.member, value, 'a whole number of minor units (cents), or absent');
  }
  if (
    typeof value === 'string' &&
    value.length <= MAX_TEXT_LENGTH &&
    value.isWellFormed() &&
    !CONTROL.test(value)
  ) {
    return value;
  }
  throw fault(
    line,
    column.member,
    value,
    `a string of at most ${MAX_TEXT_LENGTH} characters, or absent`,
  );
}

/**
 * Checks one line. Only the members that Tillroll relies on are looked at; the object itself is kept
 * byte for byte.
 * @param now PostgreSQL's clock when the request began, epoch milliseconds.
 * @throws BadLine naming line, member, what was sent and what is allowed.
 */
export function parseRow(relation: Relation, line: Line, now: number): Row {
  const object = parse(line);
  const id = idOf(line, own(object, 'id'));
  const createdTime = timeOf(line, 'createdTime', own(object, 'createdTime'));
  const modified = own(object, 'modifiedTime');
  const modifiedTime =
    modified === undefined ? createdTime : timeOf(line, 'modifiedTime', modified);
  if (modifiedTime > now + MAX_LEAD_MS) {
    const member =
      modified === undefined ? 'createdTime, which stands for modifiedTime,' : 'modifiedTime';
    throw fault(line, member, modifiedTime, `at most one day after now (${now})`);
  }
  const values = relation.columns.map((column) =>
    columnOf(line, column, own(object, column.member)),
  );
  return { line: line.number, id, createdTime, modifiedTime, values, object: line.bytes };
}
