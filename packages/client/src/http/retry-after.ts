const SECOND_MS = 1000;

/**
 * What `Retry-After` asks for (RFC 9110, 10.2.3: seconds or a date), in ms from now. A date is read
 * against the sender's own `Date`, so that a clock that is an hour off does no harm. Anything negative,
 * past or unreadable counts as not given: the caller then backs off by its own rule.
 */
export function retryAfterMs(headers: Headers, now: number): number | undefined {
  const value = headers.get('retry-after')?.trim() ?? '';
  if (/^[0-9]+$/.test(value)) return Number(value) * SECOND_MS;
  // `-5` and `1.5` would be read as dates.
  if (!/^[A-Za-z]/.test(value)) return undefined;
  const sent = Date.parse(headers.get('date') ?? '');
  const wait = Date.parse(value) - (Number.isNaN(sent) ? now : sent);
  return wait >= 0 ? wait : undefined;
}
