/** Parses the body of a create request. */
import { DAY_MS, MAX_RANGE_MS, MAX_TIME_MS } from './limits.ts';
import { EXPORT_TYPES, type ExportRequest, type ExportType } from './wire.ts';

export type Parsed<T> = { ok: true; value: T } | { ok: false; details: string };

/** A value as its sender wrote it, cut so that an error message stays readable. */
export function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  let text: string | undefined;
  try {
    text = JSON.stringify(value) as string | undefined;
  } catch {
    // A cycle, a bigint, or nesting deeper than the stack.
  }
  text ??= typeof value;
  return text.length > 80 ? `${text.slice(0, 80)}...` : text;
}

/**
 * One time of a request: a JSON number or a string of digits, UTC epoch milliseconds
 * (existing clients send either).
 */
export function parseTime(member: string, value: unknown): Parsed<number> {
  const allowed = `a whole number of UTC epoch milliseconds from 0 to ${MAX_TIME_MS}, as a number or as a string of digits`;
  const time = typeof value === 'string' && /^[0-9]{1,16}$/.test(value) ? Number(value) : value;
  if (typeof time === 'number' && Number.isInteger(time) && time >= 0 && time <= MAX_TIME_MS) {
    return { ok: true, value: time === 0 ? 0 : time };
  }
  return { ok: false, details: `${member} must be ${allowed}; got ${shown(value)}` };
}

function own(object: object, member: string): unknown {
  return Object.hasOwn(object, member) ? (object as Record<string, unknown>)[member] : undefined;
}

function isExportType(value: unknown): value is ExportType {
  return (EXPORT_TYPES as readonly unknown[]).includes(value);
}

/**
 * The body of a create request. Unknown members are ignored; a range may be at most 30 days.
 * @param body the parsed JSON, of any shape.
 * @returns the request, or details that name the member, what was sent and what is allowed.
 */
export function parseExportRequest(body: unknown): Parsed<ExportRequest> {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    return {
      ok: false,
      details: `the body must be a JSON object {"type":"ORDERS"|"PAYMENTS","startTime":ms,"endTime":ms}; got ${shown(body)}`,
    };
  }
  const type = own(body, 'type');
  if (!isExportType(type)) {
    return { ok: false, details: `type must be "ORDERS" or "PAYMENTS"; got ${shown(type)}` };
  }
  const start = parseTime('startTime', own(body, 'startTime'));
  if (!start.ok) return start;
  const end = parseTime('endTime', own(body, 'endTime'));
  if (!end.ok) return end;
  const startTime = start.value;
  const endTime = end.value;
  if (endTime <= startTime) {
    return {
      ok: false,
      details: `endTime must be later than startTime; got startTime ${startTime} and endTime ${endTime}`,
    };
  }
  const length = endTime - startTime;
  if (length > MAX_RANGE_MS) {
    return {
      ok: false,
      details: `endTime - startTime may be at most ${MAX_RANGE_MS} ms (${MAX_RANGE_MS / DAY_MS} days); got ${length} ms. Ask for a longer span in several exports`,
    };
  }
  return { ok: true, value: { type, startTime, endTime } };
}
