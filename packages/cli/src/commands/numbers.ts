import { UsageError } from '../exit.ts';
import { wholeNumber } from '../numbers.ts';

/** A whole number that an option gives. @throws UsageError */
export function parseNumber(option: string, text: string, least: number, most: number): number {
  const value = wholeNumber(text, least, most);
  if (value !== undefined) return value;
  throw new UsageError(
    `${option} must be a whole number from ${least} to ${most}; got ${JSON.stringify(text.slice(0, 80))}`,
  );
}
