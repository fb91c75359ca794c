import { UsageError } from './exit.ts';

const UNITS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/**
 * Reads `90s`, `15m`, `12h` or `7d`.
 * @param most the longest that is allowed, in the same words.
 * @returns milliseconds
 * @throws UsageError naming the option, the value and what is allowed.
 */
export function parseDuration(option: string, text: string, most: string): number {
  const value = millisecondsOf(text);
  const limit = millisecondsOf(most) ?? Infinity;
  if (value === undefined || value === 0 || value > limit) {
    throw new UsageError(
      `${option} must be a duration such as 90s, 15m, 12h or 7d, at most ${most}; got ${JSON.stringify(text.slice(0, 80))}`,
    );
  }
  return value;
}

function millisecondsOf(text: string): number | undefined {
  const [, digits, unit] = /^([0-9]{1,9})([smhd])$/.exec(text.trim()) ?? [];
  if (digits === undefined || unit === undefined) return undefined;
  return Number(digits) * UNITS[unit as keyof typeof UNITS];
}

/** For people: `45 s`, `12 min`, `3 h 12 min`, `2 d 4 h`. Less than a second is `1 s`. */
export function durationInWords(ms: number): string {
  const seconds = Math.max(1, Math.round(ms / 1000));
  if (seconds < 100) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return two(hours, 'h', minutes % 60, 'min');
  const days = Math.floor(hours / 24);
  return two(days, 'd', hours % 24, 'h');
}

function two(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}
