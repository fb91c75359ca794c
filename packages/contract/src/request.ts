/** Parses the body of a create request. */
import {
  DAY_MS,
  MAX_OBJECTS_PER_FILE,
  MAX_RANGE_MS,
  MAX_TIME_MS,
  OBJECTS_PER_FILE,
} from './limits.ts';
import {
  EXPORT_FORMATS,
  EXPORT_TYPES,
  type ExportFormat,
  type ExportType,
  type ParsedRequest,
} from './wire.ts';

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

function parseFormat(value: unknown): Parsed<ExportFormat> {
  const format = value === undefined ? 'json' : EXPORT_FORMATS.find((known) => known === value);
  if (format !== undefined) return { ok: true, value: format };
  return { ok: false, details: `format must be "json" or "jsonl"; got ${shown(value)}` };
}

function parseObjectsPerFile(value: unknown): Parsed<number> {
  const count = value ?? OBJECTS_PER_FILE;
  const isAllowed =
    value !== null &&
    typeof count === 'number' &&
    Number.isInteger(count) &&
    count >= OBJECTS_PER_FILE &&
    count <= MAX_OBJECTS_PER_FILE;
  if (isAllowed) return { ok: true, value: count };
  const allowed = `a whole number from ${OBJECTS_PER_FILE} to ${MAX_OBJECTS_PER_FILE}`;
  return { ok: false, details: `objectsPerFile must be ${allowed}; got ${shown(value)}` };
}

function isExportType(value: unknown): value is ExportType {
  return (EXPORT_TYPES as readonly unknown[]).includes(value);
}

/**
 * The body of a create request. Unknown members are ignored; a range may be at most 30 days.
 * @param body the parsed JSON, of any shape.
 * @returns the request, or details that name the member, what was sent and what is allowed.
 */
export function parseExportRequest(body: unknown): Parsed<ParsedRequest> {
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
  const since = own(body, 'since');
  const range = since === undefined ? parseRange(body) : parseSince(body, since);
  if (!range.ok) return range;
  const format = parseFormat(own(body, 'format'));
  if (!format.ok) return format;
  const perFile = parseObjectsPerFile(own(body, 'objectsPerFile'));
  if (!perFile.ok) return perFile;
  return {
    ok: true,
    value: { type, ...range.value, format: format.value, objectsPerFile: perFile.value },
  };
}

/** The largest cursor that is looked at; ours are shorter. */
const MAX_CURSOR_LENGTH = 256;

function parseSince(
  body: object,
  since: unknown,
): Parsed<{ startTime: number; endTime: number; since: string }> {
  for (const member of ['startTime', 'endTime'])
    if (own(body, member) !== undefined)
      return {
        ok: false,
        details: `since stands in place of startTime and endTime, so ${member} must not be sent with it; got ${shown(own(body, member))}`,
      };
  if (typeof since === 'string' && since.length <= MAX_CURSOR_LENGTH)
    return { ok: true, value: { startTime: 0, endTime: 0, since } };
  return {
    ok: false,
    details: `since must be the cursor of an export, as text, or empty to begin with; got ${shown(since)}`,
  };
}

function parseRange(body: object): Parsed<{ startTime: number; endTime: number }> {
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
  return { ok: true, value: { startTime, endTime } };
}
