/** Formats numbers, sizes, durations and times for people. */

/** Formats numbers and times for people, in one form whatever the machine's locale: logs are compared. */
const COUNT = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

export function count(value: number): string {
  return COUNT.format(value);
}

/** `1 file`, `2 files`. */
export function counted(value: number, one: string): string {
  return `${count(value)} ${one}${value === 1 ? '' : 's'}`;
}

const BYTE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const;

/** Decimal units: `812 MB`, `1.24 GB`. */
export function byteSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  // 999.95 would be shown as 1000.
  while (value >= 999.5 && unit < BYTE_UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${value.toFixed(digits)} ${BYTE_UNITS[unit]}`;
}

/** `45 s`, `12 min`, `3 h 12 min`, `2 d 4 h`. Less than a second is `1 s`. */
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

/** An instant in ISO form; milliseconds are left out when there are none. */
export function instant(time: number | string): string {
  return new Date(time).toISOString().replace('.000Z', 'Z');
}

/** The time of a line in a log. */
export function wholeSecond(time: number): string {
  return instant(Math.floor(time / 1000) * 1000);
}
