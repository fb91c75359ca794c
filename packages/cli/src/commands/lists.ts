import type { ExportType } from '@tillroll/contract';
import { UsageError } from '../exit.ts';

/** As the user writes them, and as they are on the wire. */
const TYPES: ReadonlyMap<string, ExportType> = new Map([
  ['orders', 'ORDERS'],
  ['payments', 'PAYMENTS'],
]);

/** @throws UsageError */
export function parseType(text: string, option = '--type'): ExportType {
  const type = TYPES.get(text.trim().toLowerCase());
  if (type) return type;
  throw new UsageError(
    `${option} must be ${[...TYPES.keys()].join(' or ')}; got ${JSON.stringify(text.slice(0, 80))}`,
  );
}

/** @throws UsageError */
export function parseTypes(text: string): ExportType[] {
  return [...new Set(text.split(',').map((part) => parseType(part, 'each of --types')))];
}
