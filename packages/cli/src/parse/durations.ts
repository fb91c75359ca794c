/** Parses durations such as `90s`. */
import { quoted, UsageError } from '../exit.ts';

/** The longest `--timeout`: timers hold at most 24.8 days. */
export const MAX_TIMEOUT = '24d';

const UNITS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/**
 * Parses `90s`, `15m`, `12h` or `7d`.
 * @param most the longest duration allowed, in the same form.
 * @returns milliseconds
 * @throws UsageError naming the option, the value and what is allowed.
 */
export function parseDuration(option: string, text: string, most: string): number {
  const value = findMilliseconds(text);
  const limit = findMilliseconds(most) ?? Infinity;
  if (value !== undefined && value > 0 && value <= limit) return value;
  throw new UsageError(
    `${option} must be a duration such as 90s, 15m, 12h or 7d, at most ${most}; got ${quoted(text)}`,
  );
}

function findMilliseconds(text: string): number | undefined {
  const [, digits, unit] = /^([0-9]{1,9})([smhd])$/.exec(text.trim()) ?? [];
  if (digits === undefined || unit === undefined) return undefined;
  return Number(digits) * UNITS[unit as keyof typeof UNITS];
}
