import { json, refusal, type Answer } from './answer.ts';
import type { FaultBook, RetryAfter, Subject } from './faults.ts';

/** At the end of a query: this request has been redirected already. */
const MARK = 'redirected=1';

export function isMarked(target: string): boolean {
  return target.endsWith(MARK);
}

export function withoutMark(target: string): string {
  return target.replace(/[?&]redirected=1$/, '');
}

function header(value: RetryAfter | undefined, now: number): Record<string, string> {
  if (value === undefined) return {};
  if (typeof value !== 'object') return { 'retry-after': String(value) };
  return { 'retry-after': new Date(now + value.dateIn * 1000).toUTCString() };
}

/** An error in place of the answer, if a fault wants it. */
export function refused(faults: FaultBook, subject: Subject): Answer | undefined {
  const fault = faults.strike('status', subject);
  if (!fault) return undefined;
  const headers = header(fault.retryAfter, Date.now() + subject.offsetMs);
  if (fault.body !== undefined) return json(fault.status, fault.body, headers);
  return refusal(fault.status, fault.details, headers);
}

/**
 * A redirect in place of the answer, if a fault wants it.
 * @param target path and query as they came, base path and all.
 */
export function redirected(
  target: string,
  origins: { main: string; elsewhere: string },
  faults: FaultBook,
  subject: Subject,
): Answer | undefined {
  const fault = faults.strike('redirect', subject);
  if (!fault) return undefined;
  const known: Record<string, string> = {
    elsewhere: origins.elsewhere + target,
    'same-host': `${origins.main}${target}${target.includes('?') ? '&' : '?'}${MARK}`,
    loop: origins.main + target,
  };
  return json(fault.status ?? 307, '', { location: known[fault.to] ?? fault.to });
}
