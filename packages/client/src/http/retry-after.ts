import type { IncomingHttpHeaders } from 'node:http';
import { findHeader } from './headers.ts';

const SECOND_MS = 1000;

/**
 * Reads `Retry-After` (RFC 9110, 10.2.3: seconds or a date) as ms from now. A date is compared with the
 * sender's own `Date`, so that a clock that is an hour off does not matter. A value that is negative, past
 * or unreadable counts as absent: the caller then backs off by its own rule.
 * @param now epoch ms, for an answer without `Date`.
 */
export function parseRetryAfter(headers: IncomingHttpHeaders, now: number): number | undefined {
  const value = findHeader(headers, 'retry-after')?.trim() ?? '';
  if (/^[0-9]+$/.test(value)) return Number(value) * SECOND_MS;
  // `Date.parse` would read `-5` and `1.5` as dates.
  if (!/^[A-Za-z]/.test(value)) return undefined;
  const sent = Date.parse(findHeader(headers, 'date') ?? '');
  const wait = Date.parse(value) - (Number.isNaN(sent) ? now : sent);
  return wait >= 0 ? wait : undefined;
}
