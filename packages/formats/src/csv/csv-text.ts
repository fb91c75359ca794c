/** Formats values as CSV text. */
import type { ColumnType } from '../table-types.ts';

/** The value of a JSON string. */
function parseText(json: string): string {
  return json.includes('\\') ? (JSON.parse(json) as string) : json.slice(1, -1);
}

/** Null is nothing at all, and an empty text is `""`: so that they stay two things. */
export function writeField(text: string): string {
  return text === '' || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** @param json the JSON text of a value; undefined for null. */
export function writeValue(type: ColumnType, json: string | undefined): string {
  if (json === undefined) return '';
  if (type === 'VARCHAR') return writeField(parseText(json));
  return type === 'TIMESTAMPTZ' ? new Date(Number(json)).toISOString() : json;
}
