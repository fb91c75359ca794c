/** Parses `orders` and `payments`. */
import type { ExportType } from '@tillroll/contract';
import { quoted, UsageError } from '../exit.ts';

/** The types as users write them, and as they are on the wire. */
const TYPES: ReadonlyMap<string, ExportType> = new Map([
  ['orders', 'ORDERS'],
  ['payments', 'PAYMENTS'],
]);

/** @throws UsageError */
export function parseType(text: string, option = '--type'): ExportType {
  const type = TYPES.get(text.trim().toLowerCase());
  if (type) return type;
  throw new UsageError(`${option} must be ${[...TYPES.keys()].join(' or ')}; got ${quoted(text)}`);
}

/** @throws UsageError */
export function parseTypes(text: string): ExportType[] {
  return [...new Set(text.split(',').map((part) => parseType(part, 'each of --types')))];
}
