import type { Column } from './tables.ts';

/** The text that a JSON string stands for. */
export function textOf(json: string): string {
  return json.includes('\\') ? (JSON.parse(json) as string) : json.slice(1, -1);
}

/** Null is nothing at all, and an empty text is `""`: so that they stay two things. */
function field(text: string): string {
  return text === '' || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function cell({ type }: Column, json: string | undefined): string {
  if (json === undefined) return '';
  if (type === 'VARCHAR') return field(textOf(json));
  return type === 'TIMESTAMP' ? new Date(Number(json)).toISOString() : json;
}

/** One record of RFC 4180. */
export function record(
  columns: readonly Column[],
  values: readonly (string | undefined)[],
  other: string | undefined,
): string {
  let line = '';
  for (const [index, column] of columns.entries()) line += `${cell(column, values[index])},`;
  return `${line}${other === undefined ? '' : field(other)}\r\n`;
}
