/** Builds checks of parsed JSON, which anyone may have written. */
import { MAX_TIME_MS } from '@tillroll/contract';

/** Tells whether a value is acceptable. */
export type Check = (value: unknown) => boolean;

/** The end of the last month: those after 9999 have names that no layout makes. */
const LAST_MONTH_END = Date.UTC(10_000, 0, 1);

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Checks a record for these members, each by its check. Other members are ignored. */
export function shape(members: Record<string, Check>): Check {
  const all = Object.entries(members);
  return (value) =>
    isRecord(value) &&
    all.every(([name, check]) => check(Object.hasOwn(value, name) ? value[name] : undefined));
}

/** Checks each element of a list. */
export function list(check: Check): Check {
  return (value) => Array.isArray(value) && value.every(check);
}

/** Checks a record whose names `isName` accepts, each value by `check`. */
export function record(isName: (name: string) => boolean, check: Check): Check {
  return (value) =>
    isRecord(value) && Object.entries(value).every(([name, one]) => isName(name) && check(one));
}

/** Checks for one of the allowed values. */
export function oneOf(...allowed: readonly unknown[]): Check {
  return (value) => allowed.includes(value);
}

/** Checks for null or a value that passes `check`. */
export function optional(check: Check): Check {
  return (value) => value === null || check(value);
}

/** Checks for a text that a pattern matches. */
export function matches(pattern: RegExp): Check {
  return (value) => typeof value === 'string' && pattern.test(value);
}

export const isText: Check = (value) => typeof value === 'string' && value.length <= 10_000;
export const isBoolean: Check = (value) => typeof value === 'boolean';
export const isInteger: Check = Number.isSafeInteger;
/** Minor units of a currency, as `parseExact` reads them. */
export const isAmount: Check = (value) => typeof value === 'bigint' || isInteger(value);
export const isCount: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
/** Epoch ms. */
export const isTime: Check = (value) => isCount(value) && (value as number) <= MAX_TIME_MS;
export const isSha256 = matches(/^[0-9a-f]{64}$/);

const isBounds = shape({ startTime: isTime, endTime: isTime });
/** A half-open range that is not empty. */
export const isRange: Check = (value) => {
  if (!isBounds(value)) return false;
  const { startTime, endTime } = value as { startTime: number; endTime: number };
  return startTime < endTime && endTime <= LAST_MONTH_END;
};
